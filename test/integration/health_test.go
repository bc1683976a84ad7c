//go:build integration

package integration_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
)

// Who finds out what a service can do, and whether it is well, by gRPC's own means.
func TestHealthAndReflection(t *testing.T) {
	for name, test := range map[string]struct {
		settings string
		code     codes.Code
	}{
		"by default": {"", codes.OK},
		"turned off": {"api: {reflection: false}\n", codes.Unimplemented},
	} {
		t.Run(name, func(t *testing.T) {
			p := serve(t, "rating", test.settings, "")
			p.wantReady(t)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			got, err := healthv1.NewHealthClient(p.conn).Check(ctx, &healthv1.HealthCheckRequest{})
			if err != nil || got.GetStatus() != healthv1.HealthCheckResponse_SERVING {
				t.Errorf("health = %v, %v, want SERVING", got, err)
			}
			names, err := p.reflected(ctx)
			if status.Code(err) != test.code || (err == nil && !names["rating.v1.RatingService"]) {
				t.Errorf("reflection = %v, %v, want %v and, if it is there, the service in it", names, err, test.code)
			}
		})
	}
}

func TestHealthFollowsReadiness(t *testing.T) {
	p := serve(t, "rating", mysqlStorage, server.Database(t)) // without its tables
	eventually(t, func() error {
		_, err := request(t, "GET", "http://"+p.admin+"/healthz", "")
		return err
	})
	got, err := healthv1.NewHealthClient(p.conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil || got.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health without tables = %v, %v, want NOT_SERVING", got, err)
	}
}

// reflected are the names of the services that reflection lists.
func (p *program) reflected(ctx context.Context) (map[string]bool, error) {
	stream, err := reflectionv1.NewServerReflectionClient(p.conn).ServerReflectionInfo(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{},
	}); err != nil {
		return nil, err
	}
	answer, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, s := range answer.GetListServicesResponse().GetService() {
		names[s.GetName()] = true
	}
	return names, stream.CloseSend()
}
