;; Traps at every request.
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
    (unreachable)))
