package config

import "strings"

// Flags says where feature flags come from.
type Flags struct {
	Set  []string `config:"set" help:"feature flags that a restart changes, such as recommendations=true; empty is none"`
	Path string   `config:"path" help:"YAML file of feature flags, each true or false, which go over those that are set; a change of it acts at once; empty is none"`
	Key  string   `config:"key" help:"key in Consul with such flags, which go over those of the file; a change acts at once; empty is none"`
}

// Check refuses a key that Consul does not know, and a flag that is neither true nor false.
func (f Flags) Check(report Report) {
	names := map[string]bool{}
	for _, s := range f.Set {
		name, value, _ := strings.Cut(s, "=")
		switch {
		case name == "" || (value != "true" && value != "false"):
			report("set", s, "is not of the form name=true or name=false")
		case names[name]:
			report("set", s, "sets a flag a second time")
		}
		names[name] = true
	}
	if strings.HasPrefix(f.Key, "/") {
		report("key", f.Key, "begins with a slash, and no key in Consul does")
	}
}

// CheckFlags refuses a key where there is no Consul.
func CheckFlags(f Flags, d Discovery, report Report) {
	if f.Key != "" && d.Kind != Consul {
		report("flags.key", f.Key, "needs discovery.kind consul; or leave it empty and name a file in flags.path")
	}
}
