use exports::makiatto::http::handler::{Guest, NodeContext, Request, Response};

wit_bindgen::generate!({
    path: "wit",
    world: "http",
});

struct Component;

impl Guest for Component {
    fn handle_request(ctx: NodeContext, req: Request) -> Response {
        // Printed lines stand in the log of the node: maki logs.
        eprintln!("{:?} {}", req.method, req.path);
        let greeting = std::env::var("GREETING").unwrap_or_else(|_| "Hello".to_string());
        let name = req
            .query
            .as_deref()
            .unwrap_or("")
            .split('&')
            .find_map(|pair| pair.strip_prefix("name="))
            .unwrap_or("world");
        Response {
            status: 200,
            headers: vec![("content-type".to_string(), "text/plain; charset=utf-8".to_string())],
            body: Some(format!("{greeting}, {name}! From {}\n", ctx.name).into_bytes()),
        }
    }
}

export!(Component);
