;; Traps at every file.
(module
  (memory (export "memory") 2)
;;; prelude
  (func (export "makiatto:transform/transformer@0.1.0#transform")
    (param $name i32) (param $nameLength i32) (param $latitude f64) (param $longitude f64)
    (param $path i32) (param $pathLength i32) (param $type i32) (param $typeLength i32) (param $size i64)
    (param $content i32) (param $contentLength i32)
    (result i32)
    (unreachable)))
