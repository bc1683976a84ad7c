package signals_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"movieexample.com/fleet/controllers/fleetservice/signals"
)

// now is when the pods of the tables are looked at.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	rpcNotFound = `rpc error: code = NotFound desc = failed to pull and unpack image "ghcr.io/movieexample/rating:9": failed to resolve image: ghcr.io/movieexample/rating:9: not found`
	rpcUnknown  = `failed to pull and unpack image "ghcr.io/movieexample/rating:1.502": failed to resolve image: `
)

// pod is pod "p" with a status as a kubelet of Kubernetes 1.36 with containerd writes it.
func pod(t testing.TB, status string) corev1.Pod {
	t.Helper()
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))}}
	if err := yaml.UnmarshalStrict([]byte(status), &p.Status); err != nil {
		t.Fatalf("status: %v\n%s", err, status)
	}
	return p
}

// one is the status of the container "service" alone.
func one(state string) string {
	return `{phase: Running, containerStatuses: [{name: service, image: "ghcr.io/movieexample/rating:1.502", imageID: "", ` + state + `}]}`
}

// pulling is a container whose image does not come.
func pulling(reason, message string) string {
	return one(`ready: false, restartCount: 0, state: {waiting: {reason: ` + reason + `, message: '` + message + `'}}`)
}

const running = `state: {running: {startedAt: "2026-03-01T11:59:50Z"}}`

func ended(exit, reason, message string) string {
	return `{terminated: {exitCode: ` + exit + `, reason: ` + reason + `, message: "` + message + `", startedAt: "2026-03-01T11:59:40Z", finishedAt: "2026-03-01T11:59:45Z"}}`
}

type want struct {
	Blame   signals.Blame
	Reason  string
	Final   bool
	Message string
}

func TestPods(t *testing.T) {
	release, environment := signals.Release, signals.Environment
	for name, test := range map[string]struct {
		status string
		want   []want
	}{
		"ready": {one(`ready: true, restartCount: 0, state: {running: {startedAt: "2026-03-01T11:00:00Z"}}`), nil},
		"first crash": {one(`ready: false, restartCount: 0, state: ` + ended("1", "Error", "line one\\nlisten tcp :8082: bind: address in use\\n")),
			[]want{{release, signals.Crashed, false, "pod p exited with code 1: listen tcp :8082: bind: address in use"}}},
		"first crash, running again": {one(`ready: false, restartCount: 1, ` + running + `, lastState: ` + ended("2", "Error", "panic: boom")),
			[]want{{release, signals.Crashed, false, "pod p exited with code 2: panic: boom"}}},
		"first crash, ready for 10 s": {one(`ready: true, restartCount: 1, ` + running + `, lastState: ` + ended("2", "Error", "")),
			[]want{{release, signals.Crashed, false, "pod p exited with code 2"}}},
		"first crash, ready for 20 s": {one(`ready: true, restartCount: 1, state: {running: {startedAt: "2026-03-01T11:59:40Z"}}, lastState: ` + ended("2", "Error", "")), nil},
		"second crash": {one(`ready: false, restartCount: 1, state: ` + ended("1", "Error", "boom")),
			[]want{{release, signals.CrashLoop, true, "pod p exits again and again (exit code 1, 1 restarts): boom"}}},
		"CrashLoopBackOff": {one(`ready: false, restartCount: 1, state: {waiting: {reason: CrashLoopBackOff, message: "back-off 10s restarting failed container=service pod=p_movies(1)"}}, lastState: ` + ended("1", "Error", "boom")),
			[]want{{release, signals.CrashLoop, true, "pod p exits again and again (exit code 1, 1 restarts): boom"}}},
		"crashed thrice, ready for 20 s": {one(`ready: true, restartCount: 3, state: {running: {startedAt: "2026-03-01T11:59:40Z"}}, lastState: ` + ended("1", "Error", "")),
			[]want{{release, signals.CrashLoop, true, "pod p exits again and again (exit code 1, 3 restarts)"}}},
		"crashed thrice, ready for a minute": {one(`ready: true, restartCount: 3, state: {running: {startedAt: "2026-03-01T11:59:00Z"}}, lastState: ` + ended("1", "Error", "")), nil},
		"exits without an error, again": {one(`ready: false, restartCount: 2, state: {waiting: {reason: CrashLoopBackOff}}, lastState: ` + ended("0", "Completed", "")),
			[]want{{release, signals.CrashLoop, true, "pod p exits again and again (exit code 0, 2 restarts)"}}},
		"OOMKilled once": {one(`ready: false, restartCount: 0, state: ` + ended("137", "OOMKilled", "")),
			[]want{{release, signals.OOMKilled, false, "pod p was killed for using more memory than its limit (0 restarts)"}}},
		"OOMKilled again": {one(`ready: false, restartCount: 2, state: {waiting: {reason: CrashLoopBackOff}}, lastState: ` + ended("137", "OOMKilled", "")),
			[]want{{release, signals.OOMKilled, true, "pod p was killed for using more memory than its limit (2 restarts)"}}},
		"StartError": {one(`ready: false, restartCount: 0, state: ` + ended("128", "StartError", `failed to create containerd task: exec: \"/ratin\": stat /ratin: no such file or directory`)),
			[]want{{release, signals.CannotStart, true, `pod p cannot start its container: failed to create containerd task: exec: "/ratin": stat /ratin: no such file or directory`}}},
		"node restarted": {one(`ready: false, restartCount: 1, ` + running + `, lastState: ` + ended("255", "Unknown", "")),
			[]want{{release, signals.NotReady, false, "pod p runs since 11:59:50 but its readiness probe does not pass"}}},
		"node lost track": {one(`ready: true, restartCount: 2, ` + running + `, lastState: ` + ended("137", "ContainerStatusUnknown", "The container could not be located when the pod was terminated")), nil},
		"running, not ready": {one(`ready: false, restartCount: 0, ` + running),
			[]want{{release, signals.NotReady, false, "pod p runs since 11:59:50 but its readiness probe does not pass"}}},

		"ErrImagePull, not found": {pulling("ErrImagePull", rpcNotFound),
			[]want{{release, signals.ImageNotFound, true, "pod p cannot have image ghcr.io/movieexample/rating:1.502: " + rpcNotFound}}},
		"ErrImagePull, 503": {pulling("ErrImagePull", rpcUnknown+`unexpected status from HEAD request to https://ghcr.io/v2/movieexample/rating/manifests/1.502: 503 Service Unavailable`),
			[]want{{environment, signals.RegistryUnavailable, false, "pod p cannot have image ghcr.io/movieexample/rating:1.502: " + rpcUnknown + "unexpected status from HEAD request to https://ghcr.io/v2/movieexample/rating/manifests/1.502: 503 Service Unavailable"}}},
		"ErrImagePull, many words": {pulling("ErrImagePull", strings.Repeat("failed to pull: ", 100)+"not found"),
			[]want{{release, signals.ImageNotFound, true, "pod p cannot have image ghcr.io/movieexample/rating:1.502: …" + (strings.Repeat("failed to pull: ", 100) + "not found")[1609-500:]}}},
		"ErrImagePull, 429":                       {pulling("ErrImagePull", `429 Too Many Requests - toomanyrequests: You have reached your pull rate limit`), []want{{environment, signals.RegistryUnavailable, false, "pod p cannot have image ghcr.io/movieexample/rating:1.502: 429 Too Many Requests - toomanyrequests: You have reached your pull rate limit"}}},
		"ErrImagePull, timeout":                   {pulling("ErrImagePull", `dial tcp 140.82.121.34:443: i/o timeout`), []want{{environment, signals.RegistryUnavailable, false, "pod p cannot have image ghcr.io/movieexample/rating:1.502: dial tcp 140.82.121.34:443: i/o timeout"}}},
		"ErrImagePull, name server away":          {pulling("ErrImagePull", `dial tcp: lookup ghcr.io on 10.96.0.10:53: server misbehaving`), []want{{environment, signals.RegistryUnavailable, false, "pod p cannot have image ghcr.io/movieexample/rating:1.502: dial tcp: lookup ghcr.io on 10.96.0.10:53: server misbehaving"}}},
		"ErrImagePull, node is full":              {pulling("ErrImagePull", `write /var/lib/containerd/x: no space left on device`), []want{{environment, signals.RegistryUnavailable, false, "pod p cannot have image ghcr.io/movieexample/rating:1.502: write /var/lib/containerd/x: no space left on device"}}},
		"ErrImagePull, a tag like a status":       {pulling("ErrImagePull", `ghcr.io/movieexample/rating:1.502: unauthorized`), []want{{release, signals.ImageRefused, false, "pod p cannot have image ghcr.io/movieexample/rating:1.502: ghcr.io/movieexample/rating:1.502: unauthorized"}}},
		"ErrImagePull, a digest like a status":    {pulling("ErrImagePull", `sha256:429 unauthorized`), []want{{release, signals.ImageRefused, false, "pod p cannot have image ghcr.io/movieexample/rating:1.502: sha256:429 unauthorized"}}},
		"ErrImagePull, no such repository":        {pulling("ErrImagePull", `pull access denied, repository does not exist or may require authorization`), []want{{release, signals.ImageNotFound, true, "pod p cannot have image ghcr.io/movieexample/rating:1.502: pull access denied, repository does not exist or may require authorization"}}},
		"RegistryUnavailable":                     {pulling("RegistryUnavailable", `image pull failed for x because the registry is unavailable: not found`), []want{{environment, signals.RegistryUnavailable, false, "pod p cannot have image ghcr.io/movieexample/rating:1.502: image pull failed for x because the registry is unavailable: not found"}}},
		"SignatureValidationFailed":               {pulling("SignatureValidationFailed", `image pull failed for x because the signature validation failed`), []want{{release, signals.ImageRefused, true, "pod p cannot have image ghcr.io/movieexample/rating:1.502: image pull failed for x because the signature validation failed"}}},
		"ImagePullBackOff, not found":             {pulling("ImagePullBackOff", `Back-off pulling image "ghcr.io/movieexample/rating:9": ErrImagePull: not found`), []want{{release, signals.ImageNotFound, true, `pod p cannot have image ghcr.io/movieexample/rating:1.502: Back-off pulling image "ghcr.io/movieexample/rating:9": ErrImagePull: not found`}}},
		"ImagePullBackOff, timeout":               {pulling("ImagePullBackOff", `Back-off pulling image "x": ErrImagePull: net/http: TLS handshake timeout`), []want{{environment, signals.RegistryUnavailable, false, `pod p cannot have image ghcr.io/movieexample/rating:1.502: Back-off pulling image "x": ErrImagePull: net/http: TLS handshake timeout`}}},
		"ImagePullBackOff of old, without reason": {pulling("ImagePullBackOff", `Back-off pulling image "x"`), []want{{release, signals.ImageRefused, false, `pod p cannot have image ghcr.io/movieexample/rating:1.502: Back-off pulling image "x"`}}},
		"ErrImageNeverPull":                       {pulling("ErrImageNeverPull", `Container image "x" is not present with pull policy of Never`), []want{{release, signals.ImageNotFound, true, `pod p cannot have image ghcr.io/movieexample/rating:1.502: Container image "x" is not present with pull policy of Never`}}},
		"InvalidImageName":                        {pulling("InvalidImageName", `Failed to apply default image tag "a b": couldn''t parse image name "a b": invalid reference format`), []want{{release, signals.ImageNotFound, true, `pod p cannot have image ghcr.io/movieexample/rating:1.502: Failed to apply default image tag "a b": couldn't parse image name "a b": invalid reference format`}}},
		"ImageInspectError":                       {pulling("ImageInspectError", `Failed to inspect image "x": rpc error`), []want{{environment, signals.WaitingForNode, false, `pod p waits for its node: Failed to inspect image "x": rpc error`}}},

		"CreateContainerConfigError, no Secret":    {pulling("CreateContainerConfigError", `secret "keys" not found`), []want{{release, signals.ConfigError, true, `pod p cannot be configured: secret "keys" not found`}}},
		"CreateContainerConfigError, no key":       {pulling("CreateContainerConfigError", `couldn''t find key api in Secret movies/keys`), []want{{release, signals.ConfigError, true, `pod p cannot be configured: couldn't find key api in Secret movies/keys`}}},
		"CreateContainerConfigError, root":         {pulling("CreateContainerConfigError", `container has runAsNonRoot and image will run as root (pod: "p_movies(1)", container: service)`), []want{{release, signals.ConfigError, true, `pod p cannot be configured: container has runAsNonRoot and image will run as root (pod: "p_movies(1)", container: service)`}}},
		"CreateContainerConfigError, kubelet slow": {pulling("CreateContainerConfigError", `failed to sync secret cache: timed out waiting for the condition`), []want{{environment, signals.WaitingForNode, false, `pod p waits for its node: failed to sync secret cache: timed out waiting for the condition`}}},
		"CreateContainerError":                     {pulling("CreateContainerError", `failed to generate spec: no command specified`), []want{{release, signals.CannotStart, true, `pod p cannot start its container: failed to generate spec: no command specified`}}},
		"CreateContainerError, runtime slow":       {pulling("CreateContainerError", `context deadline exceeded`), []want{{environment, signals.WaitingForNode, false, `pod p waits for its node: context deadline exceeded`}}},
		"CreateContainerError, name taken":         {pulling("CreateContainerError", `failed to reserve container name "service_p": name "service_p" is reserved for "1f"`), []want{{environment, signals.WaitingForNode, false, `pod p waits for its node: failed to reserve container name "service_p": name "service_p" is reserved for "1f"`}}},
		"RunContainerError":                        {pulling("RunContainerError", `exec: "/x": permission denied`), []want{{release, signals.CannotStart, true, `pod p cannot start its container: exec: "/x": permission denied`}}},
		"PostStartHookError":                       {pulling("PostStartHookError", `Exec lifecycle hook failed`), []want{{release, signals.CannotStart, true, `pod p cannot start its container: Exec lifecycle hook failed`}}},
		"ContainerCreating":                        {pulling("ContainerCreating", ``), []want{{environment, signals.WaitingForNode, false, `pod p waits for its node to prepare volumes, network and image`}}},
		"PodInitializing without init containers":  {pulling("PodInitializing", ``), []want{{environment, signals.WaitingForNode, false, `pod p waits for its node to prepare volumes, network and image`}}},

		"init container done after a second try": {`{initContainerStatuses: [{name: init, ready: true, restartCount: 1, image: i, imageID: "", state: ` + ended("0", "Completed", "") + `, lastState: ` + ended("1", "Error", "") + `}],
			containerStatuses: [{name: service, ready: true, restartCount: 0, image: i, imageID: "", state: {running: {startedAt: "2026-03-01T11:00:00Z"}}}]}`, nil},
		"init container fails": {`{initContainerStatuses: [{name: init, ready: false, restartCount: 2, image: i, imageID: "", state: {waiting: {reason: CrashLoopBackOff}}, lastState: ` + ended("1", "Error", "no such table") + `}],
			containerStatuses: [{name: service, ready: false, restartCount: 0, image: i, imageID: "", state: {waiting: {reason: PodInitializing}}}]}`,
			[]want{{release, signals.CrashLoop, true, "container init of pod p exits again and again (exit code 1, 2 restarts): no such table"}}},
		"init container runs": {`{initContainerStatuses: [{name: init, ready: false, restartCount: 0, image: i, imageID: "", ` + running + `}, {name: next, ready: false, restartCount: 0, image: i, imageID: "", state: {waiting: {reason: PodInitializing}}}],
			containerStatuses: [{name: service, ready: false, restartCount: 0, image: i, imageID: "", state: {waiting: {reason: PodInitializing}}}]}`,
			[]want{{release, signals.NotReady, false, "container init of pod p initializes since 11:59:50"}}},
		"sidecar crashes": {`{containerStatuses: [{name: proxy, ready: false, restartCount: 1, image: i, imageID: "", state: ` + ended("1", "Error", "bad flag") + `}, {name: service, ready: true, restartCount: 0, image: i, imageID: "", ` + running + `}]}`,
			[]want{{release, signals.CrashLoop, true, "container proxy of pod p exits again and again (exit code 1, 1 restarts): bad flag"}}},

		"Unschedulable": {`{phase: Pending, conditions: [{type: PodScheduled, status: "False", reason: Unschedulable, message: "0/1 nodes are available: 1 Insufficient memory."}]}`,
			[]want{{environment, signals.Unschedulable, false, "pod p finds no node: 0/1 nodes are available: 1 Insufficient memory."}}},
		"not looked at yet": {`{phase: Pending}`, nil},
		"Evicted, node is full": {`{phase: Failed, conditions: [{type: Ready, status: "False", lastTransitionTime: "2026-03-01T11:59:30Z"}], reason: Evicted, message: "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. "}`,
			[]want{{environment, signals.Evicted, false, "pod p was stopped (Evicted): The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi."}}},
		"Evicted, container too large": {`{phase: Failed, conditions: [{type: Ready, status: "False", lastTransitionTime: "2026-03-01T11:59:30Z"}], reason: Evicted, message: "Container service exceeded its local ephemeral storage limit \"1Gi\". "}`,
			[]want{{release, signals.Evicted, false, `pod p was stopped (Evicted): Container service exceeded its local ephemeral storage limit "1Gi".`}}},
		"Evicted, own volume too large": {`{phase: Failed, conditions: [{type: Ready, status: "False", lastTransitionTime: "2026-03-01T11:59:30Z"}], reason: Evicted, message: "Usage of EmptyDir volume \"tmp\" exceeds the limit \"64Mi\". "}`,
			[]want{{release, signals.Evicted, false, `pod p was stopped (Evicted): Usage of EmptyDir volume "tmp" exceeds the limit "64Mi".`}}},
		"node shuts down": {`{phase: Failed, conditions: [{type: Ready, status: "False", lastTransitionTime: "2026-03-01T11:59:30Z"}], reason: Terminated, message: "Pod was terminated in response to imminent node shutdown.", containerStatuses: [{name: service, ready: false, restartCount: 1, image: i, imageID: "", state: ` + ended("137", "Error", "") + `}]}`,
			[]want{{environment, signals.Evicted, false, "pod p was stopped (Terminated): Pod was terminated in response to imminent node shutdown."}}},
		"node refuses": {`{phase: Failed, conditions: [{type: Ready, status: "False", lastTransitionTime: "2026-03-01T11:59:30Z"}], reason: OutOfcpu, message: "Pod was rejected: Node didn't have enough resource: cpu"}`,
			[]want{{environment, signals.Evicted, false, "pod p was stopped (OutOfcpu): Pod was rejected: Node didn't have enough resource: cpu"}}},
		"Evicted long ago": {`{phase: Failed, reason: Evicted, message: "The node was low on resource: memory.", conditions: [{type: Ready, status: "False", lastTransitionTime: "2026-03-01T11:58:00Z"}]}`,
			nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := pod(t, test.status)
			var got []want
			for _, f := range signals.Pods([]corev1.Pod{p}, now) {
				got = append(got, want{f.Blame, f.Reason, f.Final, f.Message})
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Pods(%s) (-want +got):\n%s", test.status, diff)
			}
		})
	}
}

func TestPodThatIsDeletedShowsNothing(t *testing.T) {
	p := pod(t, one(`ready: false, restartCount: 5, state: {waiting: {reason: CrashLoopBackOff}}, lastState: `+ended("1", "Error", "")))
	if len(signals.Pods([]corev1.Pod{p}, now)) != 1 {
		t.Fatal("the pod shows no fact before it is deleted")
	}
	p.DeletionTimestamp = &metav1.Time{Time: now}
	if facts := signals.Pods([]corev1.Pod{p}, now); len(facts) != 0 {
		t.Errorf("Pods = %v, want nothing of a pod that is being deleted", facts)
	}
}

// TestNotReadyAnyMore: the time without readiness counts from its loss, not from the pod's start.
func TestNotReadyAnyMore(t *testing.T) {
	p := pod(t, one(`ready: false, restartCount: 0, `+running))
	lost := time.Date(2026, 3, 1, 11, 59, 58, 0, time.UTC)
	p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{
		Type: corev1.ContainersReady, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(lost),
	})
	facts := signals.Pods([]corev1.Pod{p}, now)
	if len(facts) != 1 || !facts[0].Since.Equal(lost) || facts[0].Message != "pod p was ready, but its readiness probe does not pass since 11:59:58" {
		t.Errorf("Pods = %+v, want one fact since %s", facts, lost)
	}
}

func TestNotReadySinceItsStart(t *testing.T) {
	p := pod(t, one(`ready: false, restartCount: 0, `+running))
	want := time.Date(2026, 3, 1, 11, 59, 50, 0, time.UTC)
	if facts := signals.Pods([]corev1.Pod{p}, now); len(facts) != 1 || !facts[0].Since.Equal(want) {
		t.Errorf("Pods = %v, want one fact since %s", facts, want)
	}
}
