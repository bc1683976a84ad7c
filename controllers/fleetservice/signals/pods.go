package signals

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

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

// maxLine is how much of a container's last words is told, in bytes.
const maxLine = 300

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
	if p.Status.Phase == corev1.PodFailed && p.Status.Reason != "" {
		return stopped(p, now)
	}
	if c := condition(p, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse {
		return []Fact{{Blame: Environment, Reason: Unschedulable, Message: fmt.Sprintf("pod %s finds no node: %s", p.Name, c.Message)}}
	}
	facts := initial(p, now)
	for i := range p.Status.ContainerStatuses {
		s := &p.Status.ContainerStatuses[i]
		if len(facts) > 0 && s.State.Waiting != nil && s.State.Waiting.Reason == "PodInitializing" {
			continue // it waits for the init container that the fact is about
		}
		if f, found := container(subject(p, s), s, now); found {
			facts = append(facts, noLonger(p, s, f))
		}
	}
	return facts
}

// noLonger tells one that was ready once from one that never was: it has as long to become ready again, since a machine
// that is busy for a moment fails probes too.
func noLonger(p *corev1.Pod, s *corev1.ContainerStatus, f Fact) Fact {
	c := condition(p, corev1.ContainersReady)
	if f.Reason != NotReady || c == nil || c.Status != corev1.ConditionFalse || !c.LastTransitionTime.After(f.Since) {
		return f
	}
	f.Since = c.LastTransitionTime.Time
	f.Message = fmt.Sprintf("%s was ready, but its readiness probe does not pass since %s", subject(p, s), f.Since.UTC().Format(time.TimeOnly))
	return f
}

// initial classifies the init containers. One that ended well is done, however often it was tried.
func initial(p *corev1.Pod, now time.Time) []Fact {
	var facts []Fact
	for i := range p.Status.InitContainerStatuses {
		s := &p.Status.InitContainerStatuses[i]
		if t := s.State.Terminated; t != nil && t.ExitCode == 0 {
			continue
		}
		if w := s.State.Waiting; w != nil && w.Reason == "PodInitializing" {
			continue // its turn has not come
		}
		f, found := container(subject(p, s), s, now)
		if found && f.Reason == NotReady {
			f.Message = fmt.Sprintf("%s initializes since %s", subject(p, s), s.State.Running.StartedAt.UTC().Format(time.TimeOnly))
		}
		if found {
			facts = append(facts, f)
		}
	}
	return facts
}

// subject names the pod, and the container where there are several.
func subject(p *corev1.Pod, s *corev1.ContainerStatus) string {
	if len(p.Status.InitContainerStatuses)+len(p.Status.ContainerStatuses) > 1 {
		return fmt.Sprintf("container %s of pod %s", s.Name, p.Name)
	}
	return "pod " + p.Name
}

// ownLimit is how the kubelet words an eviction that the pod brought about itself by writing more than it may.
var ownLimit = regexp.MustCompile(`exceeds the (total )?limit|exceeded its local ephemeral storage limit`)

// stopped tells of a pod that its node refused or ended, for as long as that is news: the object may stay for days.
func stopped(p *corev1.Pod, now time.Time) []Fact {
	if now.Sub(lastChange(p)) > recoveredOften {
		return nil
	}
	f := Fact{Blame: Environment, Reason: Evicted, Message: fmt.Sprintf("pod %s was stopped (%s): %s", p.Name, p.Status.Reason, strings.TrimSpace(p.Status.Message))}
	if p.Status.Reason == "Evicted" && ownLimit.MatchString(p.Status.Message) {
		f.Blame = Release
	}
	return []Fact{f}
}

func lastChange(p *corev1.Pod) time.Time {
	last := p.CreationTimestamp.Time
	for _, c := range p.Status.Conditions {
		if c.LastTransitionTime.After(last) {
			last = c.LastTransitionTime.Time
		}
	}
	return last
}

func container(who string, s *corev1.ContainerStatus, now time.Time) (Fact, bool) {
	if recovered(s, now) {
		return Fact{}, false
	}
	if f, crashed := crash(who, s); crashed {
		return f, true
	}
	if w := s.State.Waiting; w != nil {
		return waiting(who, s, w), true
	}
	if s.State.Running != nil && !s.Ready {
		return Fact{Blame: Release, Reason: NotReady, Since: s.State.Running.StartedAt.Time, Message: fmt.Sprintf("%s runs since %s but its readiness probe does not pass",
			who, s.State.Running.StartedAt.UTC().Format(time.TimeOnly))}, true
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
func crash(who string, s *corev1.ContainerStatus) (Fact, bool) {
	ended := s.State.Terminated
	if ended == nil {
		ended = s.LastTerminationState.Terminated
	}
	if ended == nil || lost(ended) || (ended.ExitCode == 0 && s.RestartCount == 0) {
		return Fact{}, false
	}
	again := s.RestartCount >= 2 || (s.State.Waiting != nil && s.State.Waiting.Reason == "CrashLoopBackOff") ||
		(s.State.Terminated != nil && s.RestartCount >= 1)
	f := Fact{Blame: Release, Final: again}
	switch {
	case ended.Reason == "OOMKilled":
		f.Reason = OOMKilled
		f.Message = fmt.Sprintf("%s was killed for using more memory than its limit (%d restarts)", who, s.RestartCount)
	case startError(ended.Reason):
		f.Reason, f.Final = CannotStart, true
		f.Message = fmt.Sprintf("%s cannot start its container: %s", who, LastLine(ended.Message))
	case again:
		f.Reason = CrashLoop
		f.Message = fmt.Sprintf("%s exits again and again (exit code %d, %d restarts)%s", who, ended.ExitCode, s.RestartCount, words(ended.Message))
	default:
		f.Reason = Crashed
		f.Message = fmt.Sprintf("%s exited with code %d%s", who, ended.ExitCode, words(ended.Message))
	}
	return f, true
}

// lost is true for a container whose end the node did not see: it restarted, or its runtime lost track.
func lost(t *corev1.ContainerStateTerminated) bool {
	return t.Reason == "ContainerStatusUnknown" || t.Reason == "Unknown"
}

func startError(reason string) bool {
	return reason == "StartError" || reason == "ContainerCannotRun"
}

// nodeTrouble is how the kubelet and the runtime word what passes by itself: caches that fill, calls that time out.
var nodeTrouble = regexp.MustCompile(`(?i)failed to sync \w+ cache|not yet been read|not registered|deadline ?exceeded|timed out|is reserved for|no space left|error while dialing|ttrpc`)

func waiting(who string, s *corev1.ContainerStatus, w *corev1.ContainerStateWaiting) Fact {
	node := Fact{Blame: Environment, Reason: WaitingForNode, Message: fmt.Sprintf("%s waits for its node%s", who, words(w.Message))}
	switch w.Reason {
	case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ErrImageNeverPull", "InvalidImageName", "SignatureValidationFailed":
		return image(who, s.Image, w)
	case "CreateContainerConfigError":
		if nodeTrouble.MatchString(w.Message) {
			return node
		}
		return Fact{Blame: Release, Reason: ConfigError, Final: true, Message: fmt.Sprintf("%s cannot be configured: %s", who, LastLine(w.Message))}
	case "CreateContainerError", "RunContainerError", "PostStartHookError":
		if nodeTrouble.MatchString(w.Message) {
			return node
		}
		return Fact{Blame: Release, Reason: CannotStart, Final: true, Message: fmt.Sprintf("%s cannot start its container: %s", who, LastLine(w.Message))}
	case "ContainerCreating", "PodInitializing":
		node.Message = who + " waits for its node to prepare volumes, network and image"
	}
	return node
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

// LastLine is the last line of a container's message with something in it, shortened. Of a line of JSON, as most
// services log, it is the message and the error. It is valid UTF-8, as what the API server stores is: else status
// would never equal what was written.
func LastLine(message string) string {
	lines := strings.Split(strings.TrimSpace(message), "\n")
	line := logged(strings.TrimSpace(lines[len(lines)-1]))
	if len(line) > maxLine {
		line = line[:maxLine] + "…"
	}
	return strings.ToValidUTF8(line, "")
}

// logged is what a structured log line says, or the line itself.
func logged(line string) string {
	var record struct{ Msg, Message, Error, Err string }
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &record) != nil {
		return line
	}
	text := cmp.Or(record.Msg, record.Message)
	cause := cmp.Or(record.Error, record.Err)
	switch {
	case text == "" && cause == "":
		return line
	case text == "" || cause == "":
		return text + cause
	}
	return text + ": " + cause
}
