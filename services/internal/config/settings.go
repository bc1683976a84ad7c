package config

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Report takes one mistake: the setting's path below the struct that checks itself, its value, and what is wrong with it.
type Report func(path string, value any, problem string)

// Checker is a part of a configuration with rules of its own. Every part is asked, so that all mistakes are reported at once.
type Checker interface {
	Check(report Report)
}

// Common is what every service has. A service's configuration embeds it with the tag `config:",inline"`.
type Common struct {
	API       API       `config:"api"`
	REST      REST      `config:"rest"`
	Admin     Admin     `config:"admin"`
	Log       Log       `config:"log"`
	Discovery Discovery `config:"discovery"`
	TLS       TLS       `config:"tls"`
	Telemetry Telemetry `config:"telemetry"`
	Shutdown  Shutdown  `config:"shutdown"`
	Calls     Calls     `config:"calls"`
	Limits    Limits    `config:"limits"`
}

// Base lets the assembly reach the common part of any service's configuration.
func (c Common) Base() Common { return c }

// Settings is any service's configuration.
type Settings interface {
	Base() Common
}

// API is the gRPC server.
type API struct {
	Port       Port `config:"port" help:"gRPC port"`
	Reflection bool `config:"reflection" help:"let clients such as grpcurl ask for the schema"`
}

// REST is the JSON server.
type REST struct {
	Port Port `config:"port" help:"REST port"`
}

// Admin is the plain HTTP server of probes and metrics.
type Admin struct {
	Port      Port `config:"port" help:"port of /metrics, /healthz and /readyz"`
	PprofPort Port `config:"pprofPort" help:"port of /debug/pprof on 127.0.0.1 only; 0 is none"`
}

// Port is a TCP port; 0 asks for any free one.
type Port int

// Log says how much is logged, and in which form.
type Log struct {
	Level  string `config:"level" enum:"debug,info,warn,error" live:"true" help:"lowest level that is logged"`
	Format string `config:"format" enum:"auto,json,text" help:"form of the log; auto is text on a terminal, else json"`
}

// Discovery says where the service registers its instances and finds those of others.
type Discovery struct {
	Kind string `config:"kind" enum:"none,consul" binding:"consul" help:"registry of instances; consul needs the binding consul"`
	Name string `config:"name" help:"name to register under; empty means the service's own name"`
}

// Shutdown bounds the steps of an orderly end.
type Shutdown struct {
	Propagation time.Duration `config:"propagation" help:"wait after deregistering, so that callers learn of it"`
	Deadline    time.Duration `config:"deadline" help:"longest wait for calls in flight"`
}

// Values of Storage.Kind and Discovery.Kind.
const (
	MySQL  = "mysql"
	Memory = "memory"
	None   = "none"
	Consul = "consul"
)

// Storage says where records are kept.
type Storage struct {
	Kind string `config:"kind" enum:"mysql,memory" binding:"mysql" help:"where records are kept; mysql needs the binding mysql"`
}

// Upstream is another service that this one calls.
type Upstream struct {
	Target  Target        `config:"target" help:"static:///host:port,… or dns:///host:port or consul:///name"`
	Timeout time.Duration `config:"timeout" help:"longest wait for one call"`
	// Identity is checked wherever the target's instances are.
	Identity string `config:"identity" needs:"tls" help:"the name that its certificate must have, spiffe://DOMAIN/ns/NAMESPACE/sa/SERVICE; needed with TLS"`
}

// Target is a gRPC target: static:///host:port,host:port or dns:///host:port or consul:///name.
type Target string

// Defaults are the common settings on a laptop: port is the gRPC port, from which the others follow (see [Shift]).
func Defaults(port Port) Common {
	c := Common{
		API:      API{Reflection: true},
		Log:      Log{Level: "info", Format: "auto"},
		TLS:      TLS{Mode: Off, TrustDomain: "cluster.local"},
		Shutdown: Shutdown{Propagation: 2 * time.Second, Deadline: 8 * time.Second},
	}
	c.Calls, c.Limits = defaultCalls(), defaultLimits()
	c.Discovery.Kind = None
	c.Telemetry.Traces.Ratio = 0.01
	c.API.Port, c.Admin.Port, c.REST.Port = Shift(port)
	return c
}

// Shift is the fleet's habit of numbering: admin is gRPC + 10 and REST is gRPC + 100, so that one flag moves a whole
// instance. 0 stays 0 for all.
func Shift(api Port) (grpc, admin, rest Port) {
	if api == 0 {
		return 0, 0, 0
	}
	return api, api + 10, api + 100
}

// Check refuses two servers on one port.
func (c Common) Check(report Report) {
	taken := map[Port]string{}
	for _, p := range []struct {
		path string
		port Port
	}{{"api.port", c.API.Port}, {"rest.port", c.REST.Port}, {"admin.port", c.Admin.Port}, {"admin.pprofPort", c.Admin.PprofPort}} {
		if other, ok := taken[p.port]; ok && p.port != 0 {
			report(p.path, p.port, "is the port of "+other+" too: give each a port of its own")
		}
		taken[p.port] = p.path
	}
}

// Check refuses waits that cannot be.
func (s Shutdown) Check(report Report) {
	if s.Propagation < 0 {
		report("propagation", s.Propagation, "is below 0")
	}
	if s.Deadline <= 0 {
		report("deadline", s.Deadline, "is not above 0")
	}
}

// Check refuses a target that no resolver understands.
func (u Upstream) Check(report Report) {
	if problem := u.Target.Problem(); problem != "" {
		report("target", u.Target, problem)
	}
	if u.Timeout <= 0 {
		report("timeout", u.Timeout, "is not above 0: every call has a deadline")
	}
	if u.Identity != "" {
		if problem := identityProblem(u.Identity); problem != "" {
			report("identity", u.Identity, problem)
		}
	}
}

// Problem says what is wrong with the target, or "".
func (t Target) Problem() string {
	scheme, endpoint, ok := strings.Cut(string(t), ":///")
	if !ok || endpoint == "" {
		return "is not of the form static:///host:port, dns:///host:port or consul:///name"
	}
	switch scheme {
	case "consul":
		return nameProblem(endpoint)
	case "dns":
		return addressProblem(endpoint)
	case "static":
		for address := range strings.SplitSeq(endpoint, ",") {
			if problem := addressProblem(address); problem != "" {
				return problem
			}
		}
		return ""
	}
	return fmt.Sprintf("has the unknown scheme %q: use static, dns or consul", scheme)
}

func addressProblem(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return fmt.Sprintf("holds %q, which is not host:port (an IPv6 host stands in brackets)", address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Sprintf("holds %q, whose port is not a number from 1 to 65535", address)
	}
	return ""
}

func nameProblem(name string) string {
	for _, r := range name {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-", r) {
			return fmt.Sprintf("holds the name %q: use lower-case letters, digits and hyphens only", name)
		}
	}
	return ""
}

// Check refuses a name that cannot stand in a target.
func (d Discovery) Check(report Report) {
	if problem := nameProblem(d.Name); problem != "" {
		report("name", d.Name, problem)
	}
}
