package render

import (
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/revision"
)

// HTTPRoute leads the paths of a service's REST API to it, the share in percent to the canary's Service object. It is nil
// where the spec names no path. What the API server would fill in is written out, so that it can be compared.
func HTTPRoute(fs *v1alpha1.FleetService, share int32) *gatewayv1.HTTPRoute {
	from := gatewayOf(fs)
	if from == nil || len(from.PathPrefixes) == 0 {
		return nil
	}
	rule := gatewayv1.HTTPRouteRule{}
	for _, prefix := range from.PathPrefixes {
		path := &gatewayv1.HTTPPathMatch{Type: ptr.To(gatewayv1.PathMatchPathPrefix), Value: ptr.To(prefix)}
		rule.Matches = append(rule.Matches, gatewayv1.HTTPRouteMatch{Path: path})
	}
	for _, ref := range backends(fs, revision.Ports(&fs.Spec).HTTP, share) {
		rule.BackendRefs = append(rule.BackendRefs, gatewayv1.HTTPBackendRef{BackendRef: ref})
	}
	route := &gatewayv1.HTTPRoute{ObjectMeta: meta(fs, fs.Name, labels(fs)), Spec: gatewayv1.HTTPRouteSpec{
		CommonRouteSpec: parents(fs, from), Hostnames: hostnames(from), Rules: []gatewayv1.HTTPRouteRule{rule},
	}}
	route.Annotations = ownership(fs)
	return route
}

// GRPCRoute leads the calls of a service's gRPC services to it, as HTTPRoute does. It is nil where the spec names none.
func GRPCRoute(fs *v1alpha1.FleetService, share int32) *gatewayv1.GRPCRoute {
	from := gatewayOf(fs)
	if from == nil || len(from.GRPCServices) == 0 {
		return nil
	}
	rule := gatewayv1.GRPCRouteRule{}
	for _, service := range from.GRPCServices {
		method := &gatewayv1.GRPCMethodMatch{Type: ptr.To(gatewayv1.GRPCMethodMatchExact), Service: ptr.To(service)}
		rule.Matches = append(rule.Matches, gatewayv1.GRPCRouteMatch{Method: method})
	}
	for _, ref := range backends(fs, revision.Ports(&fs.Spec).GRPC, share) {
		rule.BackendRefs = append(rule.BackendRefs, gatewayv1.GRPCBackendRef{BackendRef: ref})
	}
	route := &gatewayv1.GRPCRoute{ObjectMeta: meta(fs, fs.Name, labels(fs)), Spec: gatewayv1.GRPCRouteSpec{
		CommonRouteSpec: parents(fs, from), Hostnames: hostnames(from), Rules: []gatewayv1.GRPCRouteRule{rule},
	}}
	route.Annotations = ownership(fs)
	return route
}

// gatewayOf is what routes are made from; nil where requests from outside do not come through a Gateway.
func gatewayOf(fs *v1alpha1.FleetService) *v1alpha1.GatewayTraffic {
	if t := fs.Spec.Traffic; t != nil && t.NorthSouth == v1alpha1.NorthSouthGateway {
		return t.Gateway
	}
	return nil
}

// backends are the two Service objects with their weights. Both are there at all times, so that only weights change.
func backends(fs *v1alpha1.FleetService, port, share int32) []gatewayv1.BackendRef {
	return []gatewayv1.BackendRef{backend(fs.Name, port, 100-share), backend(CanaryName(fs.Name), port, share)}
}

func backend(name string, port, weight int32) gatewayv1.BackendRef {
	return gatewayv1.BackendRef{Weight: ptr.To(weight), BackendObjectReference: gatewayv1.BackendObjectReference{
		Group: ptr.To[gatewayv1.Group](""), Kind: ptr.To[gatewayv1.Kind]("Service"), Name: gatewayv1.ObjectName(name), Port: ptr.To(port),
	}}
}

func parents(fs *v1alpha1.FleetService, from *v1alpha1.GatewayTraffic) gatewayv1.CommonRouteSpec {
	spec := gatewayv1.CommonRouteSpec{}
	for _, ref := range from.ParentRefs {
		parent := gatewayv1.ParentReference{
			Group: ptr.To[gatewayv1.Group](gatewayv1.GroupName), Kind: ptr.To[gatewayv1.Kind]("Gateway"),
			Namespace: ptr.To(gatewayv1.Namespace(fs.Namespace)), Name: gatewayv1.ObjectName(ref.Name),
		}
		if ref.Namespace != "" {
			parent.Namespace = ptr.To(gatewayv1.Namespace(ref.Namespace))
		}
		if ref.SectionName != "" {
			parent.SectionName = ptr.To(gatewayv1.SectionName(ref.SectionName))
		}
		spec.ParentRefs = append(spec.ParentRefs, parent)
	}
	return spec
}

func hostnames(from *v1alpha1.GatewayTraffic) []gatewayv1.Hostname {
	var names []gatewayv1.Hostname
	for _, name := range from.Hostnames {
		names = append(names, gatewayv1.Hostname(name))
	}
	return names
}
