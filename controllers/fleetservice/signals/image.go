package signals

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// How registries and runtimes word what is wrong. The image's own name is taken out first: a tag may be 1.502.
var (
	registryAway = regexp.MustCompile(`(?i)timeout|timed out|\b429\b|too ?many ?requests|\b50[0-9]\b|connection (refused|reset)|no such host|server misbehaving|unreachable|no route to host|\bEOF\b|temporary|deadline ?exceeded|no space left|registry is unavailable`)
	imageMissing = regexp.MustCompile(`(?i)not found|manifest unknown|no such image|not present|does not exist|repository.*denied`)
	digest       = regexp.MustCompile(`sha256:[a-f0-9]+`)
)

// image classifies an image that a pod does not get: a name that leads nowhere is the revision's fault, a registry that
// does not answer is nobody's.
func image(who, image string, w *corev1.ContainerStateWaiting) Fact {
	f := Fact{Blame: Release, Reason: ImageRefused, Message: fmt.Sprintf("%s cannot have image %s: %s", who, image, cause(w.Message))}
	said := digest.ReplaceAllString(strings.ReplaceAll(w.Message, image, ""), "")
	switch {
	case w.Reason == "InvalidImageName", w.Reason == "ErrImageNeverPull":
		f.Reason, f.Final = ImageNotFound, true
	case w.Reason == "SignatureValidationFailed":
		f.Final = true
	case w.Reason == "RegistryUnavailable":
		f.Blame, f.Reason = Environment, RegistryUnavailable
	case imageMissing.MatchString(said):
		f.Reason, f.Final = ImageNotFound, true
	case registryAway.MatchString(said):
		f.Blame, f.Reason = Environment, RegistryUnavailable
	}
	return f
}

// maxCause is how much is told of an error, in bytes.
const maxCause = 500

// cause is the end of an error's text: errors wrap each other from the left, so what went wrong stands last.
func cause(message string) string {
	message = strings.TrimSpace(message)
	if len(message) > maxCause {
		message = "…" + message[len(message)-maxCause:]
	}
	return strings.ToValidUTF8(message, "")
}
