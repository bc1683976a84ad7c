package apply

import (
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// restored tells which of the wanted paths had another value in live than after the apply, and who wrote live last.
func (a *Applier) restored(live client.Object, after, wanted *unstructured.Unstructured) (paths []string, by string) {
	before, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	if err != nil {
		return nil, ""
	}
	collect(wanted.Object, before, after.Object, "", &paths)
	slices.Sort(paths)
	if len(paths) == 0 {
		return nil, ""
	}
	return paths, a.lastEditor(live.GetManagedFields())
}

// collect walks the wanted fields and notes those that differ. Lists are compared whole.
func collect(wanted, before, after any, path string, paths *[]string) {
	w, ok := wanted.(map[string]any)
	if !ok {
		if !reflect.DeepEqual(before, after) {
			*paths = append(*paths, path)
		}
		return
	}
	b, _ := before.(map[string]any)
	a, _ := after.(map[string]any)
	for k, v := range w {
		if path == "" && (k == "apiVersion" || k == "kind") {
			continue
		}
		collect(v, b[k], a[k], join(path, k), paths)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// lastEditor is the manager of the newest entry that is neither ours nor a status writer's.
func (a *Applier) lastEditor(entries []metav1.ManagedFieldsEntry) string {
	var newest *metav1.ManagedFieldsEntry
	for i := range entries {
		e := &entries[i]
		if e.Manager == string(a.manager) || e.Subresource != "" || e.Time == nil {
			continue
		}
		if newest == nil || newest.Time.Before(e.Time) {
			newest = e
		}
	}
	if newest == nil {
		return ""
	}
	return newest.Manager
}
