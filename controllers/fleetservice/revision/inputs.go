package revision

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"movieexample.com/fleet/api/v1alpha1"
)

// Defaults of what a spec may leave out. They are not part of the hash: a field set to its default and a field
// left out are one revision.
const (
	DefaultGRPCPort     = 8080
	DefaultHTTPPort     = 8180
	DefaultAdminPort    = 8090
	DefaultDrainSeconds = 10
)

// version is the prefix of the hashed bytes. A new way of hashing gets a new version, so that an upgrade of the
// operator does not turn every running revision into a change.
const version = "v1:"

// hashLength is the number of base32 characters of a hash: 50 bits, safe in names and labels.
const hashLength = 10

// inputs is everything that makes a revision. Field names and order are part of the hash for ever.
type inputs struct {
	Image        string               `json:"image"`
	Args         []string             `json:"args,omitempty"`
	Env          []v1alpha1.EnvVar    `json:"env,omitempty"`
	Config       json.RawMessage      `json:"config,omitempty"`
	Storage      string               `json:"storage,omitempty"`
	Requests     corev1.ResourceList  `json:"requests,omitempty"`
	Limits       corev1.ResourceList  `json:"limits,omitempty"`
	GRPCPort     int32                `json:"grpcPort,omitempty"`
	HTTPPort     int32                `json:"httpPort,omitempty"`
	AdminPort    int32                `json:"adminPort,omitempty"`
	Consul       string               `json:"consul,omitempty"`
	MySQL        string               `json:"mysql,omitempty"`
	ConsulName   string               `json:"consulName,omitempty"`
	Scheduling   *v1alpha1.Scheduling `json:"scheduling,omitempty"`
	DrainSeconds int32                `json:"drainSeconds,omitempty"`
	PodOverrides json.RawMessage      `json:"podOverrides,omitempty"`
	Kafka        string               `json:"kafka,omitempty"`
	Redis        string               `json:"redis,omitempty"`
	AuthKeys     string               `json:"authKeys,omitempty"`
	Files        string               `json:"files,omitempty"`
	TLS          string               `json:"tls,omitempty"`
	FeatureFlags string               `json:"featureFlags,omitempty"`
}

// Hash names the revision that a service asks for: ten characters of the SHA-256 of its inputs in canonical JSON.
// Replicas, autoscaling, rollout, ownership, migrations and deletionPolicy are not inputs: they restart nothing.
// The error is about config or podOverrides that are no JSON object.
func Hash(fs *v1alpha1.FleetService) (string, error) {
	in, err := collect(fs)
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(in) //nolint:gosec // authKeys is the name of a Secret
	if err != nil {
		return "", fmt.Errorf("encode the revision: %w", err)
	}
	sum := sha256.Sum256(append([]byte(version), raw...))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:hashLength], nil
}

func collect(fs *v1alpha1.FleetService) (*inputs, error) {
	spec := &fs.Spec
	config, err := canonical("config", spec.Config)
	if err != nil {
		return nil, err
	}
	overrides, err := canonical("podOverrides", spec.PodOverrides)
	if err != nil {
		return nil, err
	}
	in := &inputs{
		Image: spec.Image, Args: spec.Args, Env: spec.Env, Config: config, PodOverrides: overrides,
		DrainSeconds: unless(DrainSeconds(spec), DefaultDrainSeconds),
	}
	if spec.Storage != v1alpha1.StorageNone {
		in.Storage = string(spec.Storage)
	}
	in.Requests, in.Limits = writtenResources(spec)
	p := Ports(spec)
	in.GRPCPort, in.HTTPPort, in.AdminPort = unless(p.GRPC, DefaultGRPCPort), unless(p.HTTP, DefaultHTTPPort), unless(p.Admin, DefaultAdminPort)
	in.bind(fs)
	if f := spec.Files; f != nil {
		in.Files = f.ClaimName
	}
	if f := spec.FeatureFlags; f != nil {
		in.FeatureFlags = f.ConfigMapName
	}
	if s := spec.Scheduling; s != nil && (len(s.NodeSelector) > 0 || len(s.Tolerations) > 0 || s.PriorityClassName != "") {
		in.Scheduling = s
	}
	return in, nil
}

func (in *inputs) bind(fs *v1alpha1.FleetService) {
	b := fs.Spec.Bindings
	if b == nil {
		return
	}
	if b.MySQL != nil {
		in.MySQL = b.MySQL.SecretRef.Name
	}
	if b.Kafka != nil {
		in.Kafka = b.Kafka.SecretRef.Name
	}
	if b.Redis != nil {
		in.Redis = b.Redis.SecretRef.Name
	}
	if b.AuthKeys != nil {
		in.AuthKeys = b.AuthKeys.SecretRef.Name
	}
	if b.TLS != nil {
		in.TLS = b.TLS.SecretRef.Name
	}
	if b.Consul != nil {
		in.Consul = b.Consul.SecretRef.Name
		if name := ConsulName(fs); name != defaultConsulName(fs) {
			in.ConsulName = name
		}
	}
}

// ConsulName is the service's name in Consul.
func ConsulName(fs *v1alpha1.FleetService) string {
	if fs.Spec.ConsulName != "" {
		return fs.Spec.ConsulName
	}
	return defaultConsulName(fs)
}

func defaultConsulName(fs *v1alpha1.FleetService) string { return fs.Namespace + "-" + fs.Name }

// Ports are the spec's ports with defaults filled in.
func Ports(spec *v1alpha1.FleetServiceSpec) v1alpha1.Ports {
	p := v1alpha1.Ports{}
	if spec.Ports != nil {
		p = *spec.Ports
	}
	return v1alpha1.Ports{GRPC: orDefault(p.GRPC, DefaultGRPCPort), HTTP: orDefault(p.HTTP, DefaultHTTPPort), Admin: orDefault(p.Admin, DefaultAdminPort)}
}

// DrainSeconds is the spec's drain time with its default.
func DrainSeconds(spec *v1alpha1.FleetServiceSpec) int32 {
	if spec.DrainSeconds != nil {
		return *spec.DrainSeconds
	}
	return DefaultDrainSeconds
}

func orDefault(v, def int32) int32 {
	if v == 0 {
		return def
	}
	return v
}

func unless(v, def int32) int32 {
	if v == def {
		return 0
	}
	return v
}

// canonical is a free-form object with sorted keys and without white space; nil when there is none.
func canonical(field string, raw *runtime.RawExtension) (json.RawMessage, error) {
	if raw == nil || len(bytes.TrimSpace(raw.Raw)) == 0 {
		return nil, nil
	}
	object := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(raw.Raw))
	decoder.UseNumber()
	if err := decoder.Decode(&object); err != nil {
		return nil, fmt.Errorf("spec.%s must be an object with keys and values: %w", field, err)
	}
	if len(object) == 0 {
		return nil, nil
	}
	out, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encode spec.%s: %w", field, err)
	}
	return out, nil
}
