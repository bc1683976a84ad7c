# One service: registers its instances under its own name, follows the others, takes its own locks, reads its own flags.
service "@NAME@"              { policy = "write" }
service_prefix ""             { policy = "read" }
node_prefix ""                { policy = "read" }
agent_prefix ""               { policy = "read" }
key_prefix "locks/@NAME@/"    { policy = "write" }
key_prefix "flags/@NAME@"     { policy = "read" }
session_prefix ""             { policy = "write" }
