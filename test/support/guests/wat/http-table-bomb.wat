;; Grows a table of references without end; answers 200 when it gets no more.
(module
  (memory (export "memory") 2)
  (table $references 1 externref)
;;; prelude
  (func (export "makiatto:http/handler@0.1.0#handle-request")
    (param $name i32) (param $nameLength i32) (param $latitude f64) (param $longitude f64)
    (param $method i32) (param $path i32) (param $pathLength i32)
    (param $hasQuery i32) (param $query i32) (param $queryLength i32)
    (param $headers i32) (param $headerCount i32)
    (param $hasBody i32) (param $body i32) (param $bodyLength i32)
    (result i32)
    (loop $more
      (br_if $more
        (i32.ne (table.grow $references (ref.null extern) (i32.const 100000)) (i32.const -1))))
    (i32.store16 (i32.const 256) (i32.const 200))
    (i32.const 256)))
