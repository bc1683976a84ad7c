package main

import (
	"context"

	"movieexample.com/fleet/services/internal/app"
	"movieexample.com/fleet/services/internal/flags"
	"movieexample.com/fleet/services/movie/internal/controller"
)

// recommendations is the name of the feature: of its flag, its breaker and its fallback.
const recommendations = "recommendations"

// recommend gives details recommendations while their flag is on.
func recommend(env app.Env[settings], titles controller.Titles) (*controller.Recommendations, error) {
	set, err := env.Flags(env.Config.Flags, flags.Defaults{recommendations: false})
	if err != nil {
		return nil, err
	}
	return controller.Recommend(titles, func(ctx context.Context) bool { return set.On(ctx, recommendations) }), nil
}
