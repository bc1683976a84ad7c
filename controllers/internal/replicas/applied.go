package replicas

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
)

// AppliedBy is true when spec.replicas of a FleetService is a field manager's.
func AppliedBy(fs *v1alpha1.FleetService, fieldManager string) bool {
	for _, e := range fs.ManagedFields {
		if e.Manager != fieldManager || e.Operation != metav1.ManagedFieldsOperationApply || e.Subresource != "" || e.FieldsV1 == nil {
			continue
		}
		var fields struct {
			Spec struct {
				Replicas *struct{} `json:"f:replicas"`
			} `json:"f:spec"`
		}
		if json.Unmarshal(e.FieldsV1.GetRawBytes(), &fields) == nil && fields.Spec.Replicas != nil {
			return true
		}
	}
	return false
}
