//! What one parity case does.

use crate::client::Step;
use crate::upstream::{Reply, ok};

/// A configuration, a client and an upstream. The parts not mentioned are those of a plain proxy:
/// one virtual host for every domain, one route for every path, an upstream that answers `200 ok`.
#[derive(Debug, Clone)]
pub struct Case {
    pub(super) name: &'static str,
    pub(super) static_layer: String,
    pub(super) hcm: String,
    pub(super) http_filters: String,
    pub(super) access_logs: String,
    pub(super) route_config: String,
    pub(super) scoped_routes: String,
    pub(super) virtual_hosts: String,
    pub(super) cluster: String,
    pub(super) endpoint: String,
    pub(super) replies: Vec<Reply>,
    pub(super) mirror_replies: Vec<Reply>,
    pub(super) steps: Vec<Step>,
    pub(super) shown: Vec<&'static str>,
    pub(super) absent: Vec<&'static str>,
    pub(super) any_size: bool,
}

/// A case by its name: lower case and underscores, unique in its list.
pub fn case(name: &'static str) -> Case {
    Case {
        name,
        static_layer: String::new(),
        hcm: String::new(),
        http_filters: String::new(),
        access_logs: String::new(),
        route_config: String::new(),
        scoped_routes: String::new(),
        virtual_hosts: String::new(),
        cluster: String::new(),
        endpoint: String::new(),
        replies: Vec::new(),
        mirror_replies: Vec::new(),
        steps: Vec::new(),
        shown: Vec::new(),
        absent: Vec::new(),
        any_size: false,
    }
    .routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}' }")
}

/// Configuration. Fragments are YAML, in which `{{cluster}}` is the case's cluster, `{{refused}}`
/// one whose only host refuses connections, `{{silent}}` one whose only host never answers a connection
/// attempt, `{{mirror}}` one with an upstream of its own and `{{empty}}` one without hosts.
impl Case {
    /// Its name, which is also the `stat_prefix`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Further access logs, as a YAML list. Those that write to `{{scratch}}/{{name}}.text` and
    /// `{{scratch}}/{{name}}.json` are observed.
    pub fn access_logs(mut self, list: &str) -> Self {
        list.clone_into(&mut self.access_logs);
        self
    }

    /// Runtime values in a layer of the case's own; keys are those of the whole file.
    pub fn static_layer(mut self, values: &str) -> Self {
        values.clone_into(&mut self.static_layer);
        self
    }

    /// Further fields of the HTTP connection manager.
    pub fn hcm(mut self, fields: &str) -> Self {
        fields.clone_into(&mut self.hcm);
        self
    }

    /// HTTP filters before the router, as a YAML list.
    pub fn http_filters(mut self, list: &str) -> Self {
        list.clone_into(&mut self.http_filters);
        self
    }

    /// Further fields of `route_config`.
    pub fn route_config(mut self, fields: &str) -> Self {
        fields.clone_into(&mut self.route_config);
        self
    }

    /// All of `scoped_routes`, in place of a route configuration.
    pub fn scoped_routes(mut self, fields: &str) -> Self {
        fields.clone_into(&mut self.scoped_routes);
        self
    }

    /// The list of virtual hosts.
    pub fn virtual_hosts(mut self, list: &str) -> Self {
        list.clone_into(&mut self.virtual_hosts);
        self
    }

    /// The list of routes of the one virtual host.
    pub fn routes(self, list: &str) -> Self {
        let list = crate::template::indented(list, 2);
        self.virtual_hosts(&format!("- name: all\n  domains: ['*']\n  routes:\n{list}"))
    }

    /// Further fields of the endpoint of the cluster's one host.
    pub fn endpoint(mut self, fields: &str) -> Self {
        fields.clone_into(&mut self.endpoint);
        self
    }

    /// Further fields of the cluster.
    pub fn cluster(mut self, fields: &str) -> Self {
        fields.clone_into(&mut self.cluster);
        self
    }
}

/// The conversation.
impl Case {
    /// The upstream's next reply; the last one serves all later requests.
    pub fn upstream(mut self, reply: Reply) -> Self {
        self.replies.push(reply);
        self
    }

    /// The next reply of the upstream of `{{mirror}}`; the last one serves all later requests.
    pub fn mirror(mut self, reply: Reply) -> Self {
        self.mirror_replies.push(reply);
        self
    }

    /// The client sends bytes.
    pub fn send(self, bytes: impl AsRef<[u8]>) -> Self {
        self.step(Step::Send(bytes.as_ref().to_vec()))
    }

    /// The client sends bytes in pieces.
    pub fn send_pieces(self, pieces: &[&str]) -> Self {
        self.step(Step::SendPieces(pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect()))
    }

    /// The client reads a response.
    pub fn read(self) -> Self {
        self.step(Step::Read)
    }

    /// The client sends a request and reads its response.
    pub fn ask(self, request: impl AsRef<[u8]>) -> Self {
        self.send(request).read()
    }

    /// Any other step.
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Text that must occur in what is observed: proof that the case reaches what it is named for.
    pub fn shows(mut self, text: &'static str) -> Self {
        self.shown.push(text);
        self
    }

    /// Text that must not occur in what is observed.
    pub fn hides(mut self, text: &'static str) -> Self {
        self.absent.push(text);
        self
    }

    /// How many bytes go to the client is not compared: compression may come to any number.
    pub fn any_size(mut self) -> Self {
        self.any_size = true;
        self
    }

    /// How many lines a request leaves in a log without a filter.
    pub(super) fn lines_per_request(&self) -> u64 {
        if self.hcm.contains("flush_access_log_on_new_request: true") { 2 } else { 1 }
    }

    pub(super) fn script(&self) -> Vec<Reply> {
        script(&self.replies)
    }

    pub(super) fn uses_mirror(&self) -> bool {
        format!("{}{}", self.virtual_hosts, self.route_config).contains("{{mirror}}")
    }

    pub(super) fn mirror_script(&self) -> Vec<Reply> {
        script(&self.mirror_replies)
    }
}

fn script(replies: &[Reply]) -> Vec<Reply> {
    if replies.is_empty() { vec![ok()] } else { replies.to_vec() }
}
