use exports::makiatto::transform::transformer::{FileInfo, Guest, NodeContext, TransformResult};

wit_bindgen::generate!({
    path: "wit",
    world: "transform",
});

struct Component;

impl Guest for Component {
    fn transform(_ctx: NodeContext, info: FileInfo, content: Vec<u8>) -> Option<TransformResult> {
        let page = String::from_utf8(content).ok()?;
        let Some(at) = page.find("</body>") else {
            // Printed lines stand in the log of the node: maki logs.
            eprintln!("{} has no </body>, and stays as it is", info.path);
            return None;
        };
        let banner = std::env::var("BANNER").unwrap_or_else(|_| "Work in progress".to_string());
        let content = format!("{}<p class=\"banner\">{banner}</p>\n{}", &page[..at], &page[at..]);
        Some(TransformResult {
            content: content.into_bytes(),
            mime_type: None,
            headers: vec![],
        })
    }
}

export!(Component);
