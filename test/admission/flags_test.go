//go:build envtest

package admission_test

import "testing"

func TestFlagMistakes(t *testing.T) {
	refuseAll(t, goodMovieApp, map[string]mistake{
		"a flag without a value": {`{spec: {featureFlags: {recommendations: {}}}}`, `spec.featureFlags.recommendations.value: Required value`},
		"a flag that is a word":  {`{spec: {featureFlags: {recommendations: {value: "on"}}}}`, `spec.featureFlags.recommendations.value in body must be of type boolean: "string"`},
		"an unknown way":         {`{spec: {featureFlags: {recommendations: {value: true, rollout: Slow}}}}`, `Unsupported value: "Slow": supported values: "Live", "Revision"`},
		"a name with a space":    {`{spec: {featureFlags: {"a b": {value: true}}}}`, `featureFlags must be named by a letter and up to 62 letters, digits, '-' and '_', such as recommendations`},
		"nobody reads them":      {`{spec: {featureFlags: {a: {value: true}}, services: {movie: null}}}`, `featureFlags are read by the service movie, which this application does not have`},
	})
	refuseAll(t, goodFleetService, map[string]mistake{
		"flags nowhere": {`{spec: {featureFlags: {configMapName: /a}}}`, `must be the name of a ConfigMap: lower-case letters, digits, '-' and '.'`},
	})
}

func TestFlagsAccepted(t *testing.T) {
	acceptAll(t, map[string]acceptable{
		"a live flag":          {goodMovieApp, `{spec: {featureFlags: {recommendations: {value: false, rollout: Live}}}}`},
		"a flag of a revision": {goodMovieApp, `{spec: {featureFlags: {recommendations: {value: true, rollout: Revision}, other: {value: false}}}}`},
		"flags of a ConfigMap": {goodFleetService, `{spec: {featureFlags: {configMapName: flags}}}`},
	})
}
