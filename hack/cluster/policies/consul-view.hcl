# Whoever calls: sees instances and the config entries of every service, and changes nothing.
service_prefix "" { policy = "read" }
node_prefix ""    { policy = "read" }
agent_prefix ""   { policy = "read" }
