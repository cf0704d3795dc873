//! Why a line is written (`envoy.data.accesslog.v3.AccessLogType`).

/// The moment of a stream or connection that a line tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccessLogType {
    /// A connection has ended, in a listener's log. Envoy leaves the type unset there.
    #[default]
    NotSet,
    /// A request has come (`flush_access_log_on_new_request`).
    DownstreamStart,
    /// A request is still under way (`access_log_flush_interval`).
    DownstreamPeriodic,
    /// A request has ended.
    DownstreamEnd,
    /// A client has connected to a TCP proxy (`flush_access_log_on_start`).
    TcpConnectionStart,
    /// Its host has been connected to (`flush_access_log_on_connected`).
    TcpUpstreamConnected,
    /// The connection goes on (`access_log_flush_interval`).
    TcpPeriodic,
    /// It has ended.
    TcpConnectionEnd,
}

impl AccessLogType {
    /// As `%ACCESS_LOG_TYPE%` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotSet => "NotSet",
            Self::DownstreamStart => "DownstreamStart",
            Self::DownstreamPeriodic => "DownstreamPeriodic",
            Self::DownstreamEnd => "DownstreamEnd",
            Self::TcpConnectionStart => "TcpConnectionStart",
            Self::TcpUpstreamConnected => "TcpUpstreamConnected",
            Self::TcpPeriodic => "TcpPeriodic",
            Self::TcpConnectionEnd => "TcpConnectionEnd",
        }
    }
}
