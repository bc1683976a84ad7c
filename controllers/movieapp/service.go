package movieapp

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"movieexample.com/fleet/api/v1alpha1"
)

// service is one service of an application, with the preset and the application's defaults filled in.
type service struct {
	// name is the key in spec.services.
	name string
	// fleetService is the name of its FleetService.
	fleetService string
	// dependsOn are the services that get a change before this one does.
	dependsOn []string
	// spec is what its FleetService is to be.
	spec v1alpha1.FleetServiceSpec
}

// The ports of a service that says nothing and has no preset.
const (
	defaultGRPC  = 8080
	defaultHTTP  = 8180
	defaultAdmin = 8090
)

// preset is what is known of a service by its name.
type preset struct {
	ports      v1alpha1.Ports
	storage    v1alpha1.StorageKind
	migrations *v1alpha1.Migrations
	dependsOn  []string
	// gateway holds the paths and gRPC services under which it is reached from outside.
	gateway v1alpha1.GatewayTraffic
}

func presetOf(name string) preset {
	migrate := &v1alpha1.Migrations{Args: []string{"migrate"}}
	switch name {
	case "metadata":
		return preset{ports: v1alpha1.Ports{GRPC: 8081, HTTP: 8181, Admin: 8091}, storage: v1alpha1.StorageMySQL, migrations: migrate}
	case "rating":
		return preset{ports: v1alpha1.Ports{GRPC: 8082, HTTP: 8182, Admin: 8092}, storage: v1alpha1.StorageMySQL, migrations: migrate}
	case authService:
		return preset{ports: v1alpha1.Ports{GRPC: 8084, HTTP: 8184, Admin: 8094}, storage: v1alpha1.StorageMySQL, migrations: migrate}
	case "movie":
		return preset{
			ports: v1alpha1.Ports{GRPC: 8083, HTTP: 8183, Admin: 8093}, storage: v1alpha1.StorageNone,
			dependsOn: []string{"metadata", "rating"},
			gateway:   v1alpha1.GatewayTraffic{PathPrefixes: []string{"/v1/movies"}, GRPCServices: []string{"movie.v1.MovieService"}},
		}
	}
	return preset{}
}

// resolve fills in every service of an application, those first that others depend on.
// The error is a sentence about the spec: a mistake that the schema cannot express.
func resolve(app *v1alpha1.MovieApp) ([]service, error) {
	dependsOn := map[string][]string{}
	for name := range app.Spec.Services {
		dependsOn[name] = dependencies(app, name)
	}
	order, err := inOrder(dependsOn)
	if err != nil {
		return nil, err
	}
	services := make([]service, len(order))
	byName := map[string]*service{}
	for i, name := range order {
		services[i] = service{name: name, fleetService: app.Name + "-" + name, dependsOn: dependsOn[name], spec: fill(app, name)}
		byName[name] = &services[i]
	}
	for i := range services {
		s := &services[i]
		if s.spec.Config, err = configured(app, s, byName); err != nil {
			return nil, err
		}
	}
	return services, check(app.Namespace, services)
}

func dependencies(app *v1alpha1.MovieApp, name string) []string {
	if own := app.Spec.Services[name].DependsOn; own != nil {
		return slices.Sorted(slices.Values(own))
	}
	var present []string
	for _, d := range presetOf(name).dependsOn {
		if _, ok := app.Spec.Services[d]; ok {
			present = append(present, d)
		}
	}
	return present
}

// fill is the spec of one FleetService but for its upstreams: the service's own fields over the application's over the preset.
func fill(app *v1alpha1.MovieApp, name string) v1alpha1.FleetServiceSpec {
	own, known := app.Spec.Services[name], presetOf(name)
	spec := v1alpha1.FleetServiceSpec{
		Image:           image(app.Spec.Image, own.Image, name),
		ServiceTemplate: *own.ServiceTemplate.DeepCopy(),
	}
	spec.Storage = cmp.Or(spec.Storage, known.storage)
	spec.Ports = ports(spec.Ports, known.ports)
	if spec.Migrations == nil && spec.Storage == v1alpha1.StorageMySQL {
		spec.Migrations = known.migrations
	}
	spec.Bindings = bindingsOf(app.Spec.Bindings, spec.Bindings, spec.Storage)
	if name == authService {
		spec.Bindings = withAuthKeys(app, spec.Bindings)
	}
	spec.Bindings = withCertificate(app, app.Name+"-"+name, spec.Bindings)
	spec.FeatureFlags = withFlags(app, name)
	spec.Rollout = rollout(app.Spec.Rollout, spec.Rollout)
	spec.Traffic = traffic(app.Spec.Traffic, spec.Traffic, known.gateway)
	spec.Ownership = ownership(app.Spec.Ownership, spec.Ownership)
	return spec
}

func image(app v1alpha1.AppImage, own *v1alpha1.ServiceImage, name string) string {
	o := v1alpha1.ServiceImage{}
	if own != nil {
		o = *own
	}
	repository := cmp.Or(o.Registry, app.Registry) + "/" + cmp.Or(o.Name, name)
	if o.Digest != "" {
		return repository + "@" + o.Digest
	}
	return repository + ":" + cmp.Or(o.Tag, app.Tag)
}

func ports(own *v1alpha1.Ports, known v1alpha1.Ports) *v1alpha1.Ports {
	p := known
	if own != nil {
		p = v1alpha1.Ports{GRPC: cmp.Or(own.GRPC, known.GRPC), HTTP: cmp.Or(own.HTTP, known.HTTP), Admin: cmp.Or(own.Admin, known.Admin)}
	}
	if p == (v1alpha1.Ports{}) {
		return nil
	}
	return &p
}

// effectivePorts are a spec's ports with defaults filled in.
func effectivePorts(spec *v1alpha1.FleetServiceSpec) v1alpha1.Ports {
	defaults := v1alpha1.Ports{GRPC: defaultGRPC, HTTP: defaultHTTP, Admin: defaultAdmin}
	if p := ports(spec.Ports, defaults); p != nil {
		return *p
	}
	return defaults
}

// bindingsOf gives a service the application's connections where it has none of its own. A database is given only to
// a service that keeps its data there: no other needs the credentials.
func bindingsOf(app, own *v1alpha1.Bindings, storage v1alpha1.StorageKind) *v1alpha1.Bindings {
	b := v1alpha1.Bindings{}
	if own != nil {
		b = *own
	}
	if app != nil && b.Consul == nil {
		b.Consul = app.Consul.DeepCopy()
	}
	if app != nil && b.Consul != nil {
		b.ConsulAdmin = cmp.Or(b.ConsulAdmin, app.ConsulAdmin.DeepCopy())
	}
	if app != nil {
		b.Kafka, b.Redis = cmp.Or(b.Kafka, app.Kafka.DeepCopy()), cmp.Or(b.Redis, app.Redis.DeepCopy())
	}
	if app != nil && b.MySQL == nil && storage == v1alpha1.StorageMySQL {
		b.MySQL = app.MySQL.DeepCopy()
	}
	if b == (v1alpha1.Bindings{}) {
		return nil
	}
	return &b
}

// check finds what two services, or a service and its preset, cannot have at the same time.
func check(namespace string, services []service) error {
	consul := map[string]string{}
	names := map[string]bool{}
	for _, s := range services {
		names[s.name] = true
	}
	for _, s := range services {
		if p := effectivePorts(&s.spec); p.GRPC == p.HTTP || p.GRPC == p.Admin || p.HTTP == p.Admin {
			return fmt.Errorf("spec.services.%s.ports: grpc %d, http %d and admin %d must be three different ports; those left out have their default",
				s.name, p.GRPC, p.HTTP, p.Admin)
		}
		if other, taken := consul[s.consulName(namespace)]; taken {
			return fmt.Errorf("spec.services.%s.consulName: %s is the name of %s in Consul already; give each service its own",
				s.name, s.consulName(namespace), other)
		}
		consul[s.consulName(namespace)] = s.name
		for _, suffix := range []string{"-canary", "-all"} {
			if names[s.name+suffix] {
				return fmt.Errorf("spec.services.%s%s: the name is needed for the Service object %s%s of %s; choose another",
					s.name, suffix, s.fleetService, suffix, s.name)
			}
		}
		if size := len(release(s.spec)); size > maxRelease {
			return fmt.Errorf("spec.services.%s is too large: config, env and podOverrides together have %d KiB, at most %d are possible",
				s.name, size>>10, maxRelease>>10)
		}
	}
	return nil
}

// inOrder sorts services so that each comes after those it depends on, and by name otherwise.
// The error names a circle.
func inOrder(dependsOn map[string][]string) ([]string, error) {
	var order []string
	done := map[string]bool{}
	names := slices.Sorted(maps.Keys(dependsOn))
	for len(order) < len(names) {
		before := len(order)
		for _, name := range names {
			ready := !slices.ContainsFunc(dependsOn[name], func(d string) bool { return !done[d] })
			if !done[name] && ready {
				order, done[name] = append(order, name), true
			}
		}
		if len(order) == before {
			return nil, fmt.Errorf("spec.services: dependsOn goes in a circle: %s. Remove one of these dependencies", circle(dependsOn, done))
		}
	}
	return order, nil
}
