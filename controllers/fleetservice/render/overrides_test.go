package render_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/render"
)

// overridden is movies/rating with all bindings and these podOverrides.
func overridden(t testing.TB, overrides string) *v1alpha1.FleetService {
	t.Helper()
	fs := service(t, `
metadata: {name: rating}
spec:
  image: ghcr.io/movieexample/rating:1.4.0
  env: [{name: GOGC, value: "50"}]
  bindings: {mysql: {secretRef: {name: rating-mysql}}, consul: {secretRef: {name: movies-consul}}}
`)
	patch := service(t, "spec: {podOverrides: "+overrides+"}").Spec.PodOverrides
	fs.Spec.PodOverrides = patch
	return fs
}

const restricted = "may not go beyond the restricted Pod Security Standard"

func TestOverridesRefused(t *testing.T) {
	for name, test := range map[string]struct{ overrides, want string }{
		// What would give more rights.
		"serviceAccountName":             {`{spec: {serviceAccountName: default}}`, "spec.serviceAccountName: the service has an account of its own"},
		"serviceAccount, its old name":   {`{spec: {serviceAccount: default}}`, "spec.serviceAccountName"},
		"serviceAccountName, removed":    {`{spec: {serviceAccountName: null}}`, "spec.serviceAccountName"},
		"service account token":          {`{spec: {automountServiceAccountToken: true}}`, "spec.automountServiceAccountToken: services get no token"},
		"service account token default":  {`{spec: {automountServiceAccountToken: null}}`, "spec.automountServiceAccountToken"},
		"projected token":                {`{spec: {volumes: [{name: t, projected: {sources: [{serviceAccountToken: {path: token}}]}}]}}`, "spec.volumes.t.projected"},
		"projected certificate":          {`{spec: {volumes: [{name: t, projected: {sources: [{podCertificate: {signerName: a.example/b, keyType: ED25519}}]}}]}}`, "spec.volumes.t.projected"},
		"hostNetwork":                    {`{spec: {hostNetwork: true}}`, restricted + ": host namespaces (hostNetwork=true)"},
		"hostPID":                        {`{spec: {hostPID: true}}`, restricted + ": host namespaces (hostPID=true)"},
		"hostIPC":                        {`{spec: {hostIPC: true}}`, restricted + ": host namespaces (hostIPC=true)"},
		"hostNetwork, spelled otherwise": {`{spec: {HostNetwork: true}}`, restricted},
		"nodeName":                       {`{spec: {nodeName: node-1}}`, "spec.nodeName: use spec.scheduling.nodeSelector"},
		"hostPath":                       {`{spec: {volumes: [{name: h, hostPath: {path: /}}]}}`, "spec.volumes.h.hostPath: pods may not see the node's files"},
		"hostPath in place of a volume":  {`{spec: {volumes: [{name: tmp, emptyDir: null, hostPath: {path: /}}]}}`, "spec.volumes.tmp.hostPath"},
		"nfs volume":                     {`{spec: {volumes: [{name: shared, nfs: {server: a, path: /}}]}}`, restricted},
		"privileged":                     {`{spec: {containers: [{name: service, securityContext: {privileged: true}}]}}`, restricted},
		"privileged sidecar":             {`{spec: {containers: [{name: x, image: i, securityContext: {privileged: true}}]}}`, restricted},
		"privileged init container":      {`{spec: {initContainers: [{name: x, image: i, securityContext: {privileged: true}}]}}`, restricted},
		"privilege escalation":           {`{spec: {containers: [{name: service, securityContext: {allowPrivilegeEscalation: true}}]}}`, restricted},
		"capabilities added":             {`{spec: {containers: [{name: service, securityContext: {capabilities: {add: [NET_ADMIN]}}}]}}`, "spec.containers.service.securityContext.capabilities.add"},
		"capability to bind low ports":   {`{spec: {containers: [{name: service, securityContext: {capabilities: {add: [NET_BIND_SERVICE]}}}]}}`, "capabilities.add"},
		"capabilities of a sidecar":      {`{spec: {containers: [{name: x, image: i, securityContext: {capabilities: {add: [SYS_PTRACE], drop: [ALL]}}}]}}`, "spec.containers.x.securityContext.capabilities.add"},
		"capabilities kept":              {`{spec: {containers: [{name: x, image: i, securityContext: {capabilities: {}}}]}}`, restricted},
		"hostPort":                       {`{spec: {containers: [{name: x, image: i, ports: [{containerPort: 9000, hostPort: 9000}]}]}}`, restricted},
		"root in the pod":                {`{spec: {securityContext: {runAsUser: 0}}}`, restricted},
		"root in a container":            {`{spec: {containers: [{name: service, securityContext: {runAsUser: 0}}]}}`, restricted},
		"root in a sidecar":              {`{spec: {containers: [{name: x, image: i, securityContext: {runAsUser: 0}}]}}`, restricted},
		"runAsNonRoot false, pod":        {`{spec: {securityContext: {runAsNonRoot: false}}}`, restricted},
		"runAsNonRoot false, container":  {`{spec: {containers: [{name: service, securityContext: {runAsNonRoot: false}}]}}`, restricted},
		"security context removed":       {`{spec: {securityContext: null}}`, restricted},
		"seccomp Unconfined, pod":        {`{spec: {securityContext: {seccompProfile: {type: Unconfined}}}}`, restricted},
		"seccomp Unconfined, container":  {`{spec: {containers: [{name: service, securityContext: {seccompProfile: {type: Unconfined}}}]}}`, restricted},
		"AppArmor Unconfined":            {`{spec: {securityContext: {appArmorProfile: {type: Unconfined}}}}`, restricted},
		"procMount":                      {`{spec: {containers: [{name: service, securityContext: {procMount: Unmasked}}]}}`, restricted},
		"SELinux user":                   {`{spec: {securityContext: {seLinuxOptions: {user: root}}}}`, restricted},
		"kernel settings":                {`{spec: {securityContext: {sysctls: [{name: kernel.msgmax, value: "1"}]}}}`, restricted},
		"Windows host process":           {`{spec: {securityContext: {windowsOptions: {hostProcess: true}}}}`, restricted},
		"probe of another host":          {`{spec: {containers: [{name: service, livenessProbe: {httpGet: {host: 169.254.169.254}}}]}}`, restricted},
		"ephemeral containers":           {`{spec: {ephemeralContainers: [{name: d, image: i}]}}`, "spec.ephemeralContainers: use kubectl debug"},
		// What has a knob of its own, or what the operator relies on.
		"image":                      {`{spec: {containers: [{name: service, image: other}]}}`, "spec.containers.service.image: use spec.image"},
		"ports":                      {`{spec: {containers: [{name: service, ports: [{containerPort: 9999, name: extra}]}]}}`, "spec.containers.service.ports: use spec.ports"},
		"port of a sidecar, by name": {`{spec: {containers: [{name: x, image: i, ports: [{containerPort: 9000, name: grpc}]}]}}`, "spec.containers.x.ports.grpc"},
		"port of a sidecar, number":  {`{spec: {containers: [{name: x, image: i, ports: [{containerPort: 8080, name: web}]}]}}`, "spec.containers.x.ports.web"},
		"grace period":               {`{spec: {terminationGracePeriodSeconds: 1}}`, "spec.terminationGracePeriodSeconds: use spec.drainSeconds"},
		"container removed":          {`{spec: {containers: [{name: service, $patch: delete}]}}`, "spec.containers: the container \"service\" must stay"},
		"containers replaced":        {`{spec: {containers: [{$patch: replace}, {name: x, image: i}]}}`, "the container \"service\" must stay"},
		"containers null":            {`{spec: {containers: null}}`, "the container \"service\" must stay"},
		"spec null":                  {`{spec: null}`, "the container \"service\" must stay"},
		"label of a selector":        {`{metadata: {labels: {fleet.movieexample.com/revision: other}}}`, "metadata.labels.fleet.movieexample.com/revision: selectors rely on it"},
		"label of a selector gone":   {`{metadata: {labels: {fleet.movieexample.com/service: null}}}`, "metadata.labels.fleet.movieexample.com/service"},
		"labels replaced":            {`{metadata: {labels: {$patch: replace, a: b}}}`, "metadata.labels.app.kubernetes.io/managed-by"},
		"label like ours":            {`{metadata: {labels: {fleet.movieexample.com/migration: rating}}}`, "metadata.labels.fleet.movieexample.com/migration"},
		"finalizers":                 {`{metadata: {finalizers: [a.example/b]}}`, "metadata but labels and annotations"},
		"identity":                   {`{spec: {containers: [{name: service, env: [{name: FLEET_REVISION, value: other}]}]}}`, "spec.containers.service.env.FLEET_REVISION"},
		"identity removed":           {`{spec: {containers: [{name: service, env: [{name: POD_UID, $patch: delete}]}]}}`, "spec.containers.service.env.POD_UID"},
		"config volume":              {`{spec: {volumes: [{name: config, configMap: {name: other}}]}}`, "spec.volumes.config"},
		"binding volume removed":     {`{spec: {volumes: [{name: binding-mysql, $patch: delete}]}}`, "spec.volumes.binding-mysql"},
		"binding mount removed":      {`{spec: {containers: [{name: service, volumeMounts: [{mountPath: /bindings/mysql, $patch: delete}]}]}}`, "spec.containers.service.volumeMounts of /bindings/mysql"},
		// What is no pod template.
		"unknown field":        {`{spec: {replicas: 3}}`, "spec.podOverrides does not give a pod template"},
		"wrong type":           {`{spec: {containers: service}}`, "spec.podOverrides"},
		"unknown directive":    {`{spec: {containers: [{name: service, $patch: explode}]}}`, "spec.podOverrides is not a patch of a pod template"},
		"container, no name":   {`{spec: {containers: [{image: i}]}}`, "spec.podOverrides is not a patch of a pod template"},
		"list in place of map": {`{spec: []}`, "spec.podOverrides"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := render.Template(overridden(t, test.overrides), hash)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Template with podOverrides %s = %v, want an error with %q", test.overrides, err, test.want)
			}
		})
	}
}

func TestOverridesTaken(t *testing.T) {
	for name, test := range map[string]struct {
		overrides string
		holds     func(corev1.PodTemplateSpec) bool
	}{
		"sidecar, confined without saying so": {`{spec: {containers: [{name: proxy, image: i, ports: [{containerPort: 15000, name: proxy}]}]}}`, func(p corev1.PodTemplateSpec) bool {
			c := p.Spec.Containers[1]
			return p.Spec.Containers[0].Name == "service" && c.Name == "proxy" && !*c.SecurityContext.AllowPrivilegeEscalation &&
				slices.Equal(c.SecurityContext.Capabilities.Drop, []corev1.Capability{"ALL"})
		}},
		"sidecar that runs as another user": {`{spec: {containers: [{name: proxy, image: i, securityContext: {runAsUser: 1337}}]}}`, func(p corev1.PodTemplateSpec) bool {
			return *p.Spec.Containers[1].SecurityContext.RunAsUser == 1337
		}},
		"native sidecar": {`{spec: {initContainers: [{name: proxy, image: i, restartPolicy: Always}]}}`, func(p corev1.PodTemplateSpec) bool {
			return len(p.Spec.InitContainers) == 1 && p.Spec.InitContainers[0].SecurityContext.Capabilities != nil
		}},
		"emptyDir volume with a mount": {`{spec: {volumes: [{name: cache, emptyDir: {}}], containers: [{name: service, volumeMounts: [{name: cache, mountPath: /cache}]}]}}`, func(p corev1.PodTemplateSpec) bool {
			return len(p.Spec.Volumes) == 5 && len(p.Spec.Containers[0].VolumeMounts) == 5
		}},
		"larger /tmp": {`{spec: {volumes: [{name: tmp, emptyDir: {sizeLimit: 1Gi}}]}}`, func(p corev1.PodTemplateSpec) bool {
			return slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == "tmp" && v.EmptyDir.SizeLimit.String() == "1Gi" })
		}},
		"annotations and labels": {`{metadata: {annotations: {a: b}, labels: {c: d}}}`, func(p corev1.PodTemplateSpec) bool {
			return p.Annotations["a"] == "b" && p.Labels["c"] == "d" && p.Labels[v1alpha1.LabelRevision] == hash
		}},
		"affinity": {`{spec: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}}}`, func(p corev1.PodTemplateSpec) bool {
			return p.Spec.Affinity != nil
		}},
		"environment": {`{spec: {containers: [{name: service, env: [{name: GOMEMLIMIT, value: 200MiB}, {name: GOGC, value: "25"}]}]}}`, func(p corev1.PodTemplateSpec) bool {
			value := map[string]string{}
			for _, e := range p.Spec.Containers[0].Env {
				value[e.Name] = e.Value
			}
			return value["GOMEMLIMIT"] == "200MiB" && value["GOGC"] == "25" && value["FLEET_REVISION"] == hash
		}},
		"pull secret": {`{spec: {imagePullSecrets: [{name: registry}]}}`, func(p corev1.PodTemplateSpec) bool { return len(p.Spec.ImagePullSecrets) == 1 }},
		"dns":         {`{spec: {dnsConfig: {options: [{name: ndots, value: "1"}]}}}`, func(p corev1.PodTemplateSpec) bool { return p.Spec.DNSConfig != nil }},
		"probe": {`{spec: {containers: [{name: service, readinessProbe: {periodSeconds: 1}}]}}`, func(p corev1.PodTemplateSpec) bool {
			return p.Spec.Containers[0].ReadinessProbe.PeriodSeconds == 1 && p.Spec.Containers[0].ReadinessProbe.HTTPGet.Path == "/readyz"
		}},
		"spreading removed": {`{spec: {topologySpreadConstraints: null}}`, func(p corev1.PodTemplateSpec) bool { return len(p.Spec.TopologySpreadConstraints) == 0 }},
		"empty":             {`{}`, func(p corev1.PodTemplateSpec) bool { return len(p.Spec.Containers) == 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := render.Template(overridden(t, test.overrides), hash)
			if err != nil {
				t.Fatalf("Template with podOverrides %s = %v, want no error", test.overrides, err)
			}
			if !test.holds(got) {
				out, _ := yaml.Marshal(got)
				t.Errorf("podOverrides %s did not do what they say:\n%s", test.overrides, out)
			}
		})
	}
}

// FuzzOverrides looks for patches that panic, or that pass although they break what the operator relies on.
func FuzzOverrides(f *testing.F) {
	for _, seed := range []string{`{}`, `null`, `[]`, `""`, `{"spec":null}`, `{"spec":{"containers":[{"name":"service","$patch":"delete"}]}}`, `{"$patch":"replace","spec":{}}`, `{"metadata":{"labels":{"$retainKeys":[]}}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, patch []byte) {
		fs := overridden(t, `{}`)
		fs.Spec.PodOverrides.Raw = patch
		got, err := render.Template(fs, hash)
		if err != nil {
			return
		}
		if got.Spec.HostNetwork || got.Labels[v1alpha1.LabelRevision] != hash || got.Spec.Containers[0].Name != render.ContainerName || got.Spec.ServiceAccountName != "rating" {
			t.Errorf("podOverrides %s passed and gave %+v", patch, got)
		}
	})
}
