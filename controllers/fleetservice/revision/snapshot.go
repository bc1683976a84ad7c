package revision

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// Snapshot is what was rendered from a revision when it was first seen. A live revision is always applied from its
// snapshot and never rendered again, so that an upgrade of the operator restarts nothing.
type Snapshot struct {
	// Image is the revision's image.
	Image string `json:"image"`
	// Config is the file mounted as /etc/fleet/config.yaml.
	Config string `json:"config"`
	// Template is the pod template.
	Template corev1.PodTemplateSpec `json:"template"`
}

// Encode writes a snapshot into the data of a ControllerRevision.
func (s *Snapshot) Encode() ([]byte, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode the snapshot: %w", err)
	}
	return raw, nil
}

// Decode reads the snapshot that a ControllerRevision holds.
func Decode(cr *appsv1.ControllerRevision) (*Snapshot, error) {
	s := &Snapshot{}
	if err := json.Unmarshal(cr.Data.Raw, s); err != nil {
		return nil, fmt.Errorf("read the snapshot %s: %w", cr.Name, err)
	}
	return s, nil
}
