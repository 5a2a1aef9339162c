;; Gives 100,000 headers that are one and the same string of 8 MiB.
(module
  (memory (export "memory") 256)
;;; prelude
  (func (export "makiatto:transform/transformer@0.1.0#transform")
    (param $name i32) (param $nameLength i32) (param $latitude f64) (param $longitude f64)
    (param $path i32) (param $pathLength i32) (param $type i32) (param $typeLength i32) (param $size i64)
    (param $content i32) (param $contentLength i32)
    (result i32)
    (local $i i32) (local $at i32)
    (memory.fill (i32.const 4194304) (i32.const 97) (i32.const 8388608))
    (loop $more
      (local.set $at (i32.add (i32.const 1048576) (i32.mul (local.get $i) (i32.const 16))))
      (i32.store (local.get $at) (i32.const 4194304))
      (i32.store offset=4 (local.get $at) (i32.const 8388608))
      (i32.store offset=8 (local.get $at) (i32.const 4194304))
      (i32.store offset=12 (local.get $at) (i32.const 8388608))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (i32.const 100000))))
    (i32.store8 (i32.const 256) (i32.const 1))
    (i32.store (i32.const 280) (i32.const 1048576))
    (i32.store (i32.const 284) (i32.const 100000))
    (i32.const 256)))
