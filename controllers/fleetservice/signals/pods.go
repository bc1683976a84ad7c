package signals

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// Blame says whose fault a fact is.
type Blame string

// A release fact is the revision's own fault and can take it back; an environment fact only holds a rollout.
const (
	Release     Blame = "Release"
	Environment Blame = "Environment"
)

// Fact is something a pod or a Deployment shows that keeps a revision from working.
type Fact struct {
	Blame Blame
	// Reason is one word, the same for all pods that show the same, such as CrashLoop.
	Reason string
	// Message names the object and says what it shows, in its own words where it has any.
	Message string
	// Since is when the container that shows it started, where that matters: a process may take its time.
	Since time.Time
	// Final is true where waiting cannot help: the process exits again and again, or cannot start at all.
	Final bool
}

// Reasons of facts.
const (
	CrashLoop           = "CrashLoop"
	Crashed             = "Crashed"
	OOMKilled           = "OOMKilled"
	ImageNotFound       = "ImageNotFound"
	ImageRefused        = "ImageRefused"
	ConfigError         = "ConfigError"
	CannotStart         = "CannotStart"
	NotReady            = "NotReady"
	PodRefused          = "PodRefused"
	RegistryUnavailable = "RegistryUnavailable"
	Unschedulable       = "Unschedulable"
	QuotaExceeded       = "QuotaExceeded"
	WaitingForNode      = "WaitingForNode"
	Evicted             = "Evicted"
	AdmissionDown       = "AdmissionDown"
)

// A container that is ready again for so long after a crash is taken as recovered; after several crashes it must
// hold out longer.
const (
	recoveredOnce  = 15 * time.Second
	recoveredOften = time.Minute
)

// Pods classifies what the pods of one revision show at the time now. A pod that is being deleted shows nothing.
func Pods(pods []corev1.Pod, now time.Time) []Fact {
	var facts []Fact
	for i := range pods {
		if pods[i].DeletionTimestamp == nil {
			facts = append(facts, pod(&pods[i], now)...)
		}
	}
	return facts
}

func pod(p *corev1.Pod, now time.Time) []Fact {
	if p.Status.Reason == "Evicted" || p.Status.Reason == "NodeLost" || p.Status.Reason == "NodeAffinity" {
		return []Fact{{Blame: Environment, Reason: Evicted, Message: fmt.Sprintf("pod %s: %s %s", p.Name, p.Status.Reason, p.Status.Message)}}
	}
	if c := condition(p, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse {
		return []Fact{{Blame: Environment, Reason: Unschedulable, Message: fmt.Sprintf("pod %s finds no node: %s", p.Name, c.Message)}}
	}
	var facts []Fact
	for _, s := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		if f, found := container(p.Name, &s, now); found {
			facts = append(facts, f)
		}
	}
	return facts
}

func container(pod string, s *corev1.ContainerStatus, now time.Time) (Fact, bool) {
	if recovered(s, now) {
		return Fact{}, false
	}
	if f, crashed := crash(pod, s); crashed {
		return f, true
	}
	if w := s.State.Waiting; w != nil {
		return waiting(pod, s, w)
	}
	if s.State.Running != nil && !s.Ready {
		return Fact{Blame: Release, Reason: NotReady, Since: s.State.Running.StartedAt.Time, Message: fmt.Sprintf("pod %s runs since %s but its readiness probe does not pass",
			pod, s.State.Running.StartedAt.UTC().Format(time.TimeOnly))}, true
	}
	return Fact{}, false
}

func recovered(s *corev1.ContainerStatus, now time.Time) bool {
	hold := recoveredOnce
	if s.RestartCount >= 2 {
		hold = recoveredOften
	}
	return s.State.Running != nil && s.Ready && now.Sub(s.State.Running.StartedAt.Time) >= hold
}

// crash tells of a container that ended by itself. Once may be chance; twice is a loop.
func crash(pod string, s *corev1.ContainerStatus) (Fact, bool) {
	ended := s.State.Terminated
	if ended == nil {
		ended = s.LastTerminationState.Terminated
	}
	if ended == nil || (ended.ExitCode == 0 && s.RestartCount == 0) {
		return Fact{}, false
	}
	again := s.RestartCount >= 2 || (s.State.Waiting != nil && s.State.Waiting.Reason == "CrashLoopBackOff") ||
		(s.State.Terminated != nil && s.RestartCount >= 1)
	f := Fact{Blame: Release, Final: again}
	switch {
	case ended.Reason == "OOMKilled":
		f.Reason = OOMKilled
		f.Message = fmt.Sprintf("pod %s was killed for using more memory than its limit (%d times)", pod, s.RestartCount+1)
	case startError(ended.Reason):
		f.Reason, f.Final = CannotStart, true
		f.Message = fmt.Sprintf("pod %s cannot start its container: %s", pod, LastLine(ended.Message))
	case again:
		f.Reason = CrashLoop
		f.Message = fmt.Sprintf("pod %s exits again and again (exit code %d, %d restarts)%s", pod, ended.ExitCode, s.RestartCount, words(ended.Message))
	default:
		f.Reason = Crashed
		f.Message = fmt.Sprintf("pod %s exited with code %d%s", pod, ended.ExitCode, words(ended.Message))
	}
	return f, true
}

func startError(reason string) bool {
	return reason == "StartError" || reason == "ContainerCannotRun"
}

func waiting(pod string, s *corev1.ContainerStatus, w *corev1.ContainerStateWaiting) (Fact, bool) {
	switch w.Reason {
	case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError":
		return image(pod, s.Image, w), true
	case "CreateContainerConfigError":
		return Fact{Blame: Release, Reason: ConfigError, Final: true, Message: fmt.Sprintf("pod %s cannot be configured: %s", pod, w.Message)}, true
	case "CreateContainerError", "RunContainerError":
		return Fact{Blame: Release, Reason: CannotStart, Final: true, Message: fmt.Sprintf("pod %s cannot start its container: %s", pod, LastLine(w.Message))}, true
	case "ContainerCreating", "PodInitializing":
		return Fact{Blame: Environment, Reason: WaitingForNode, Message: fmt.Sprintf("pod %s waits for its node to prepare volumes, network and image", pod)}, true
	}
	return Fact{}, false
}

var (
	registryAway = regexp.MustCompile(`(?i)timeout|timed out|429|too many requests|\b50[0-9]\b|connection (refused|reset)|no such host|EOF|temporar|i/o|deadline`)
	imageMissing = regexp.MustCompile(`(?i)not found|manifest unknown|no such image|not present|does not exist|repository.*denied`)
)

func image(pod, image string, w *corev1.ContainerStateWaiting) Fact {
	f := Fact{Blame: Release, Reason: ImageRefused, Message: fmt.Sprintf("pod %s cannot have image %s: %s", pod, image, w.Message)}
	switch {
	case w.Reason == "InvalidImageName", w.Reason == "ErrImageNeverPull":
		f.Reason, f.Final = ImageNotFound, true
	case imageMissing.MatchString(w.Message):
		f.Reason, f.Final = ImageNotFound, true
	case w.Reason == "RegistryUnavailable", registryAway.MatchString(w.Message):
		f.Blame, f.Reason = Environment, RegistryUnavailable
	case w.Reason == "ImagePullBackOff":
		// The back-off repeats no cause of its own in older kubelets: wait for the next attempt to say it.
		f.Message = fmt.Sprintf("pod %s cannot have image %s (the kubelet backs off): %s", pod, image, w.Message)
	}
	return f
}

// Deployment classifies why a Deployment cannot create pods at all.
func Deployment(d *appsv1.Deployment) []Fact {
	for _, c := range d.Status.Conditions {
		if c.Type != appsv1.DeploymentReplicaFailure || c.Status != corev1.ConditionTrue {
			continue
		}
		f := Fact{Blame: Release, Reason: PodRefused, Final: true, Message: fmt.Sprintf("Deployment %s may not create pods: %s", d.Name, c.Message)}
		switch {
		case strings.Contains(c.Message, "exceeded quota"):
			f.Blame, f.Reason, f.Final = Environment, QuotaExceeded, false
		case strings.Contains(c.Message, "failed calling webhook"):
			f.Blame, f.Reason, f.Final = Environment, AdmissionDown, false
		}
		return []Fact{f}
	}
	return nil
}

// Ready counts the pods that are ready, and tells since when all of them are.
func Ready(pods []corev1.Pod) (ready int32, since time.Time) {
	for i := range pods {
		c := condition(&pods[i], corev1.PodReady)
		if pods[i].DeletionTimestamp != nil || c == nil || c.Status != corev1.ConditionTrue {
			continue
		}
		ready++
		if c.LastTransitionTime.After(since) {
			since = c.LastTransitionTime.Time
		}
	}
	return ready, since
}

func condition(p *corev1.Pod, t corev1.PodConditionType) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Type == t {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

func words(message string) string {
	if line := LastLine(message); line != "" {
		return ": " + line
	}
	return ""
}

// LastLine is the last line of a container's message with something in it, shortened.
func LastLine(message string) string {
	lines := strings.Split(strings.TrimSpace(message), "\n")
	line := strings.TrimSpace(lines[len(lines)-1])
	if len(line) > 300 {
		line = line[:300] + "…"
	}
	return line
}
