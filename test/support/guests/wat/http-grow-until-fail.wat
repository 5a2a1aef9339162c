;; Takes and touches all memory that it is given, and answers 200 with its number of pages in `x-pages`, as five digits.
(module
  (memory (export "memory") 2)
;;; prelude
  (data (i32.const 1024) "x-pages00000")
  (func (export "makiatto:http/handler@0.1.0#handle-request")
    (param $name i32) (param $nameLength i32) (param $latitude f64) (param $longitude f64)
    (param $method i32) (param $path i32) (param $pathLength i32)
    (param $hasQuery i32) (param $query i32) (param $queryLength i32)
    (param $headers i32) (param $headerCount i32)
    (param $hasBody i32) (param $body i32) (param $bodyLength i32)
    (result i32)
    (local $pages i32) (local $at i32)
    (block $full
      (loop $more
        (br_if $full (i32.eq (memory.grow (i32.const 1)) (i32.const -1)))
        (i32.store (i32.mul (i32.sub (memory.size) (i32.const 1)) (i32.const 65536)) (i32.const 42))
        (br $more)))
    (local.set $pages (memory.size))
    (local.set $at (i32.const 1035))
    (loop $digits
      (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $pages) (i32.const 10))))
      (local.set $pages (i32.div_u (local.get $pages) (i32.const 10)))
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (br_if $digits (i32.ge_u (local.get $at) (i32.const 1031))))
    (i32.store (i32.const 512) (i32.const 1024))
    (i32.store (i32.const 516) (i32.const 7))
    (i32.store (i32.const 520) (i32.const 1031))
    (i32.store (i32.const 524) (i32.const 5))
    (i32.store16 (i32.const 256) (i32.const 200))
    (i32.store (i32.const 260) (i32.const 512))
    (i32.store (i32.const 264) (i32.const 1))
    (i32.const 256)))
