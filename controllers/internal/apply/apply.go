package apply

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// Applier applies children under one field manager and remembers what it applied. It is safe for concurrent use.
// Its memory is lost with the process: after a restart each child is applied once.
type Applier struct {
	client  client.Client
	direct  client.Reader
	manager client.FieldOwner

	mu      sync.Mutex
	applied map[key]memory
}

type key struct {
	gvk  schema.GroupVersionKind
	name types.NamespacedName
}

// memory is what identifies the live object that an apply left behind, and what was applied for whom.
type memory struct {
	uid             types.UID
	resourceVersion string
	generation      int64
	content         [sha256.Size]byte
	desired         [sha256.Size]byte
	owner           types.UID
}

// holds reports whether live is what the apply left behind, or an older state of it: a cache may lag behind our own
// write, and what it shows then is nobody's edit.
func (m memory) holds(live, desired client.Object) bool {
	if live.GetUID() != m.uid {
		return false
	}
	if age, err := resourceversion.CompareResourceVersion(live.GetResourceVersion(), m.resourceVersion); err == nil && age < 0 {
		return true
	}
	return covers(live, desired) && m.contains(live)
}

// contains compares what we may have applied, which is all but metadata and status. The generation saves the work where
// it can: kinds such as ConfigMap have none, and a Deployment's moves with the annotations that its controller writes.
func (m memory) contains(live client.Object) bool {
	if live.GetResourceVersion() == m.resourceVersion {
		return true
	}
	if g := live.GetGeneration(); g > 0 && g == m.generation {
		return true
	}
	return content(live) == m.content
}

// Result tells what an apply did.
type Result struct {
	// Changed is true when the API server was called.
	Changed bool
	// Generation is that of the child as it stands after the apply: above the cache's while that lags behind.
	Generation int64
	// Restored are the paths that somebody else had changed, such as spec.replicas.
	Restored []string
	// By is the field manager of that change, as far as the object tells.
	By string
	// Recreated is true when the object was there after the last apply and somebody deleted it.
	Recreated bool
}

// NameTaken is the error for a child whose name belongs to an object that is not ours.
type NameTaken struct {
	Kind, Namespace, Name string
}

func (e *NameTaken) Error() string {
	return fmt.Sprintf("%s %s/%s exists and is not owned by this resource: delete or rename it", e.Kind, e.Namespace, e.Name)
}

// New returns an Applier that reads live objects from c (a cache), looks at what the cache lacks through direct,
// and writes as fieldManager.
func New(c client.Client, direct client.Reader, fieldManager string) *Applier {
	return &Applier{client: c, direct: direct, manager: client.FieldOwner(fieldManager), applied: map[key]memory{}}
}

// Apply brings one child to desired. Desired carries namespace, name, our labels and a controller ownerReference.
// It returns *NameTaken when an object of that name belongs to somebody else; nothing is changed then.
func (a *Applier) Apply(ctx context.Context, desired client.Object) (Result, error) {
	gvk, err := apiutil.GVKForObject(desired, a.client.Scheme())
	if err != nil {
		return Result{}, fmt.Errorf("find the kind of %s: %w", desired.GetName(), err)
	}
	wanted, err := configuration(desired, gvk)
	if err != nil {
		return Result{}, err
	}
	live, err := a.observe(ctx, gvk, desired)
	if err != nil {
		return Result{}, err
	}
	k := key{gvk, client.ObjectKeyFromObject(desired)}
	hash := digest(wanted.Object)
	before, known := a.recall(k)
	same := known && before.desired == hash
	if same && live != nil && before.holds(live, desired) {
		return Result{Generation: max(before.generation, live.GetGeneration())}, nil
	}
	after := wanted.DeepCopy()
	if err := a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(after), a.manager, client.ForceOwnership); err != nil {
		return Result{}, fmt.Errorf("apply %s %s: %w", gvk.Kind, desired.GetName(), err)
	}
	stored, err := a.typed(after, gvk)
	if err != nil {
		return Result{}, err
	}
	a.remember(k, memory{
		uid: stored.GetUID(), resourceVersion: stored.GetResourceVersion(), generation: stored.GetGeneration(),
		content: content(stored), desired: hash, owner: ownerOf(desired),
	})
	result := Result{Changed: true, Generation: stored.GetGeneration(), Recreated: same && live == nil}
	if same && live != nil && before.uid == live.GetUID() {
		result.Restored, result.By = a.restored(live, stored, wanted)
	}
	return result, nil
}

func ownerOf(o client.Object) types.UID {
	if owner := metav1.GetControllerOf(o); owner != nil {
		return owner.UID
	}
	return ""
}

// Forget drops what is remembered of an object that was deleted.
func (a *Applier) Forget(gvk schema.GroupVersionKind, name types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.applied, key{gvk, name})
}

// ForgetOwned drops what is remembered of the children of an owner that is gone.
func (a *Applier) ForgetOwned(owner types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, m := range a.applied {
		if m.owner == owner {
			delete(a.applied, k)
		}
	}
}

// observe returns the live object, nil if there is none, or *NameTaken if it is not ours. The cache holds only
// objects with our label, so what it lacks is looked up directly before it is created.
func (a *Applier) observe(ctx context.Context, gvk schema.GroupVersionKind, desired client.Object) (client.Object, error) {
	empty, err := a.client.Scheme().New(gvk)
	if err != nil {
		return nil, fmt.Errorf("make a %s: %w", gvk.Kind, err)
	}
	live, ok := empty.(client.Object)
	if !ok {
		return nil, fmt.Errorf("%s is not an object with metadata", gvk.Kind)
	}
	name := client.ObjectKeyFromObject(desired)
	err = a.client.Get(ctx, name, live)
	if apierrors.IsNotFound(err) {
		err = a.direct.Get(ctx, name, live)
	}
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get %s %s: %w", gvk.Kind, name.Name, err)
	}
	if owner := metav1.GetControllerOf(desired); owner != nil && !metav1.IsControlledBy(live, &metav1.ObjectMeta{UID: owner.UID}) {
		return nil, &NameTaken{Kind: gvk.Kind, Namespace: name.Namespace, Name: name.Name}
	}
	return live, nil
}

func (a *Applier) recall(k key) (memory, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	m, ok := a.applied[k]
	return m, ok
}

func (a *Applier) remember(k key, m memory) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.applied[k] = m
}

func (a *Applier) typed(u *unstructured.Unstructured, gvk schema.GroupVersionKind) (client.Object, error) {
	obj, err := a.client.Scheme().New(gvk)
	if err != nil {
		return nil, fmt.Errorf("make a %s: %w", gvk.Kind, err)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, obj); err != nil {
		return nil, fmt.Errorf("read the applied %s %s: %w", gvk.Kind, u.GetName(), err)
	}
	return obj.(client.Object), nil
}

// configuration is desired as an apply configuration: no status, and no field that Go's zero values would claim.
func configuration(desired client.Object, gvk schema.GroupVersionKind) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(desired)
	if err != nil {
		return nil, fmt.Errorf("convert %s %s: %w", gvk.Kind, desired.GetName(), err)
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(gvk)
	unstructured.RemoveNestedField(u.Object, "status")
	dropNulls(u.Object)
	return u, nil
}

// dropNulls removes creationTimestamp and every other null: an apply configuration states only what it wants.
func dropNulls(m map[string]any) {
	for k, v := range m {
		switch v := v.(type) {
		case nil:
			delete(m, k)
		case map[string]any:
			dropNulls(v)
		case []any:
			for _, item := range v {
				if item, ok := item.(map[string]any); ok {
					dropNulls(item)
				}
			}
		}
	}
}

// content is the hash of all but metadata and status.
func content(obj client.Object) [sha256.Size]byte {
	u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return [sha256.Size]byte{}
	}
	for _, k := range []string{"metadata", "status", "apiVersion", "kind"} {
		delete(u, k)
	}
	dropNulls(u)
	return digest(u)
}

func digest(content map[string]any) [sha256.Size]byte {
	raw, err := json.Marshal(content) // map keys are sorted: equal content gives equal bytes
	if err != nil {
		return [sha256.Size]byte{}
	}
	return sha256.Sum256(raw)
}

// covers reports whether every label and annotation of desired stands in live: metadata has no generation.
func covers(live, desired client.Object) bool {
	return contains(live.GetLabels(), desired.GetLabels()) && contains(live.GetAnnotations(), desired.GetAnnotations())
}

func contains(have, want map[string]string) bool {
	for k, v := range want {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}
