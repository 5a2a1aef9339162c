;; Takes and touches memory, and traps when it gets no more.
(module
  (memory (export "memory") 2)
;;; prelude
  (func (export "makiatto:http/handler@0.1.0#handle-request")
    (param $name i32) (param $nameLength i32) (param $latitude f64) (param $longitude f64)
    (param $method i32) (param $path i32) (param $pathLength i32)
    (param $hasQuery i32) (param $query i32) (param $queryLength i32)
    (param $headers i32) (param $headerCount i32)
    (param $hasBody i32) (param $body i32) (param $bodyLength i32)
    (result i32)
    (loop $more
      (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (unreachable)))
      (i32.store (i32.mul (i32.sub (memory.size) (i32.const 1)) (i32.const 65536)) (i32.const 42))
      (br $more))
    (unreachable)))
