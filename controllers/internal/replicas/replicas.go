package replicas

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
)

// manager owns spec.replicas that no person names: without an owner the number would be dropped when its last one stops
// naming it, and the service would scale to the default before an autoscaler speaks.
const manager = "fleet-replicas"

// Own gives spec.replicas to a manager that is nobody's, with a value. It is not forced: where an autoscaler has changed
// the number meanwhile it is a conflict, and the number stays.
func Own(ctx context.Context, c client.Client, fs *v1alpha1.FleetService, n int32) error {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"replicas": int64(n)}}}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("FleetService"))
	u.SetNamespace(fs.Namespace)
	u.SetName(fs.Name)
	u.SetUID(fs.UID)
	if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(manager)); err != nil {
		return fmt.Errorf("name replicas of FleetService %s: %w", fs.Name, err)
	}
	return nil
}
