//! `| all(group(…) max(…) each(output(count())))`

use super::tokens::{Parser, Result};
use super::{Grouping, YqlError};

impl Parser<'_> {
    pub(super) fn grouping(&mut self) -> Result<Grouping> {
        let mut grouping = Grouping { field: String::new(), max: None };
        self.expect_word("all")?;
        self.expect_sign("(")?;
        while !self.sign(")") {
            if self.word("group") {
                self.expect_sign("(")?;
                grouping.field = self.name()?;
                self.expect_sign(")")?;
            } else if self.word("max") {
                self.expect_sign("(")?;
                let inf = self.word("inf");
                grouping.max = if inf { None } else { Some(self.count()?) };
                if inf {
                    return Err(YqlError(
                        "Cannot return unbounded number of groups when 'grouping.globalMaxGroups' is enabled".into(),
                    ));
                }
                self.expect_sign(")")?;
            } else {
                for word in ["each", "output", "count"] {
                    self.expect_word(word)?;
                    self.expect_sign("(")?;
                }
                for _ in 0..3 {
                    self.expect_sign(")")?;
                }
            }
        }
        if grouping.field.is_empty() {
            return Err(YqlError("the grouping has no group(…)".into()));
        }
        Ok(grouping)
    }
}
