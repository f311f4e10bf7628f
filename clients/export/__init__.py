"""Verified entries in the forms of other systems: OCSF, ECS, CEF in RFC 5424, CloudEvents."""
