package apply

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// path is where a field stands. Keys may hold dots, so it is not a string.
type path []string

func (p path) String() string { return strings.Join(p, ".") }

// restored tells which of the wanted paths had another value in live than in stored, and who had set them.
func (a *Applier) restored(live, stored client.Object, wanted *unstructured.Unstructured) (paths []string, by string) {
	before, beforeErr := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	after, afterErr := runtime.DefaultUnstructuredConverter.ToUnstructured(stored)
	if beforeErr != nil || afterErr != nil {
		return nil, ""
	}
	changed := differing(wanted.Object, before, after, nil)
	for _, p := range changed {
		paths = append(paths, p.String())
	}
	slices.Sort(paths)
	return paths, a.editor(live.GetManagedFields(), changed)
}

// differing walks the wanted fields and returns those that differ. Lists are compared whole.
func differing(wanted, before, after any, at path) []path {
	w, ok := wanted.(map[string]any)
	if !ok {
		if reflect.DeepEqual(before, after) {
			return nil
		}
		return []path{at}
	}
	b, _ := before.(map[string]any)
	a, _ := after.(map[string]any)
	var found []path
	for k, v := range w {
		if len(at) == 0 && (k == "apiVersion" || k == "kind") {
			continue
		}
		found = append(found, differing(v, b[k], a[k], append(slices.Clone(at), k))...)
	}
	return found
}

// editor is the manager that set one of the paths last. A field that was taken away belongs to nobody: then it is empty.
func (a *Applier) editor(entries []metav1.ManagedFieldsEntry, paths []path) string {
	var by string
	var newest time.Time
	for _, e := range entries {
		if e.Manager == string(a.manager) || !sets(e.FieldsV1, paths) {
			continue
		}
		at := ptr.Deref(e.Time, metav1.Time{}).Time // /scale writes none
		if by == "" || at.After(newest) {
			by, newest = e.Manager, at
		}
	}
	return by
}

// sets reports whether a manager's fields hold one of the paths.
func sets(fields *metav1.FieldsV1, paths []path) bool {
	var owned map[string]any
	if fields == nil || json.Unmarshal(fields.GetRawBytes(), &owned) != nil {
		return false
	}
	return slices.ContainsFunc(paths, func(p path) bool {
		at := owned
		for i, key := range p {
			below, ok := at["f:"+key].(map[string]any)
			if !ok {
				return i > 0 && len(at) == 0 // a leaf above the path: a map that is owned whole, such as a selector
			}
			at = below
		}
		return true
	})
}
