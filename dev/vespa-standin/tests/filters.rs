//! The where clause: every condition, joined in every way.
