# The operator in one namespace: config entries of its services, and instances whose pods are gone.
service_prefix "@NAMESPACE@-" { policy = "write" }
service_prefix ""             { policy = "read" }
node_prefix ""                { policy = "read" }
agent_prefix ""               { policy = "read" }
