"""The audit console: the auditor's own evidence as pages, served on the auditor's own machine."""
