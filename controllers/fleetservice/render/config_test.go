package render_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"

	"movieexample.com/fleet/controllers/fleetservice/render"
)

func TestConfig(t *testing.T) {
	ports := "admin:\n  port: 8090\napi:\n  port: 8080\n"
	rest := "rest:\n  port: 8180\n"
	shutdown := "shutdown:\n  deadline: 8s\n  propagation: 2s\n"
	for name, test := range map[string]struct{ spec, want string }{
		"nothing":      {``, ports + rest + shutdown},
		"null":         {`config: null`, ports + rest + shutdown},
		"own keys":     {`config: {log: {level: debug}}`, ports + "log:\n  level: debug\n" + rest + shutdown},
		"short drain":  {`drainSeconds: 1`, ports + rest + "shutdown:\n  deadline: 1s\n  propagation: 2s\n"},
		"memory":       {`storage: Memory`, ports + rest + shutdown + "storage:\n  kind: memory\n"},
		"mysql":        {`storage: MySQL`, ports + rest + shutdown + "storage:\n  kind: mysql\n"},
		"consul":       {`bindings: {consul: {secretRef: {name: c}}}`, ports + "discovery:\n  kind: consul\n  name: movies-rating\n" + rest + shutdown},
		"consul, name": {`{bindings: {consul: {secretRef: {name: c}}}, consulName: ratings}`, ports + "discovery:\n  kind: consul\n  name: ratings\n" + rest + shutdown},
		"ports":        {`ports: {admin: 9999}`, "admin:\n  port: 9999\napi:\n  port: 8080\n" + rest + shutdown},
		"files":        {`files: {claimName: uploads}`, strings.Replace(ports, "api:\n  port: 8080\n", "api:\n  port: 8080\nfiles:\n  path: /var/lib/fleet/files\n", 1) + rest + shutdown},
		"flags":        {`{featureFlags: {configMapName: f}, config: {flags: {key: k}}}`, strings.Replace(ports, "api:\n  port: 8080\n", "api:\n  port: 8080\nflags:\n  key: k\n  path: /etc/fleet-flags/flags.yaml\n", 1) + rest + shutdown},
		"files, sized": {`{files: {claimName: uploads}, config: {files: {maxSize: 1GiB}}}`, ports + "files:\n  maxSize: 1GiB\n  path: /var/lib/fleet/files\n" + rest + shutdown},
		"large number": {`config: {id: 9007199254740993}`, ports + "id: 9007199254740993\n" + rest + shutdown},
	} {
		t.Run(name, func(t *testing.T) {
			fs := service(t, "metadata: {name: rating}\nspec:\n  "+test.spec+"\n")
			got, err := render.Config(fs)
			if err != nil {
				t.Fatalf("Config = %v", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Config with %s (-want +got):\n%s", test.spec, diff)
			}
		})
	}
}

func TestConfigRefused(t *testing.T) {
	for key, instead := range map[string]string{
		"api": "spec.ports.grpc", "rest": "spec.ports.http", "admin": "spec.ports.admin", "storage": "spec.storage",
		"discovery": "spec.bindings.consul and spec.consulName", "shutdown": "spec.drainSeconds",
	} {
		t.Run(key, func(t *testing.T) {
			_, err := render.Config(service(t, "metadata: {name: rating}\nspec: {config: {"+key+": {}}}"))
			want := "spec.config." + key + " is written by the operator: set " + instead + " instead"
			if err == nil || err.Error() != want {
				t.Errorf("Config = %v, want %q", err, want)
			}
		})
	}
}

// TestConfigOfFilesWithoutAClaim: a volume of podOverrides may be named, where the operator mounts none.
func TestConfigOfFilesWithoutAClaim(t *testing.T) {
	fs := service(t, "metadata: {name: movie}")
	fs.Spec.Config = &runtime.RawExtension{Raw: []byte(`{"files": {"path": "/data"}}`)}
	got, err := render.Config(fs)
	if err != nil || !strings.Contains(got, "files:\n  path: /data\n") {
		t.Errorf("Config = %q, %v, want files.path as it was written", got, err)
	}
}

func TestConfigOfFilesRefused(t *testing.T) {
	for config, want := range map[string]string{
		"{path: /data}": "spec.config.files.path is written by the operator: leave it out, spec.files.claimName names the volume",
		"/data":         "spec.config.files must be an object with keys and values",
	} {
		_, err := render.Config(service(t, "metadata: {name: movie}\nspec: {files: {claimName: uploads}, config: {files: "+config+"}}"))
		if err == nil || err.Error() != want {
			t.Errorf("Config with files %s = %v, want %q", config, err, want)
		}
	}
}

// TestConfigRefusedSameEachTime: a message that changes from one look to the next would be written to status each time.
func TestConfigRefusedSameEachTime(t *testing.T) {
	fs := service(t, "metadata: {name: rating}\nspec: {config: {storage: {}, api: {}, rest: {}, admin: {}, shutdown: {}}}")
	for range 100 {
		if _, err := render.Config(fs); err == nil || !strings.Contains(err.Error(), "spec.config.admin") {
			t.Fatalf("Config = %v, want the first key in order of the alphabet, spec.config.admin", err)
		}
	}
}
