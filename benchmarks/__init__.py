"""How fast Tearline is, each number beside a limit measured in the same run."""
