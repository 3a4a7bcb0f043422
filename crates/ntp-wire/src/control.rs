//! Mode 6 control messages.
