;; Links small arrays of the garbage collector's heap to each other without end.
(module
  (type $array (array (mut i64)))
  (type $node (struct (field (ref null $array)) (field (ref null $node))))
  (memory (export "memory") 2)
  (global $head (mut (ref null $node)) (ref.null $node))
;;; prelude
  (func (export "makiatto:http/handler@0.1.0#handle-request")
    (param i32 i32 f64 f64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (loop $more
      (global.set $head
        (struct.new $node (array.new $array (i64.const 1) (i32.const 1000)) (global.get $head)))
      (br $more))
    (unreachable)))
