//! Plans: how many requests a minute an organization may send.

use crate::text_enum::text_enum;

text_enum! {
    /// What an organization may use of the service.
    Plan, "plan", {
        /// To try things out.
        Developer = "developer",
        /// One product.
        Pro = "pro",
        /// Several products.
        Team = "team",
        /// Without limit: the default, so that nobody is refused by a service of their own.
        Enterprise = "enterprise",
    }
}

impl Plan {
    /// Most requests of an organization in any 60 s; none is no limit.
    #[must_use]
    pub const fn requests_per_minute(self) -> Option<u32> {
        match self {
            Self::Developer => Some(10),
            Self::Pro => Some(100),
            Self::Team => Some(250),
            Self::Enterprise => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_the_contracts() {
        let limits: Vec<_> = Plan::ALL.iter().map(|plan| (plan.as_str(), plan.requests_per_minute())).collect();
        let expected = [("developer", Some(10)), ("pro", Some(100)), ("team", Some(250)), ("enterprise", None)];
        assert_eq!(limits, expected);
    }
}
