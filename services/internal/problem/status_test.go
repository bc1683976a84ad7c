package problem_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/internal/problem"
)

func TestStatus(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	broken := errors.New("dial tcp 10.0.0.7:3306: refused")
	for name, c := range map[string]struct {
		ctx     context.Context
		err     error
		code    codes.Code
		message string
	}{
		"not found":                 {t.Context(), problem.NewNotFound("there is no movie %q", "7"), codes.NotFound, `there is no movie "7"`},
		"wrapped not found":         {t.Context(), fmt.Errorf("get: %w", problem.NewNotFound("no movie")), codes.NotFound, "no movie"},
		"unavailable hides why":     {t.Context(), problem.NewUnavailable(broken, "the database is away"), codes.Unavailable, "the database is away"},
		"exhausted hides why":       {t.Context(), problem.NewExhausted(broken, "the disk is full"), codes.ResourceExhausted, "the disk is full"},
		"aborted":                   {t.Context(), problem.NewAborted("another has it"), codes.Aborted, "another has it"},
		"unimplemented":             {t.Context(), problem.NewUnimplemented("there is no volume"), codes.Unimplemented, "there is no volume"},
		"unauthenticated hides why": {t.Context(), problem.NewUnauthenticated(broken, "the token is not valid"), codes.Unauthenticated, "the token is not valid"},
		"denied":                    {t.Context(), problem.NewDenied("needs the role %q", "editor"), codes.PermissionDenied, `needs the role "editor"`},
		"denied, caller gone":       {gone, problem.NewDenied("no"), codes.PermissionDenied, "no"},
		"unknown hides all":         {t.Context(), broken, codes.Internal, "internal error"},
		"caller gone":               {gone, problem.NewUnavailable(broken, "the database is away"), codes.Canceled, "context canceled"},
		"found out before it":       {gone, problem.NewNotFound("no movie"), codes.NotFound, "no movie"},
		"caller gone, plain err":    {gone, broken, codes.Canceled, "context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			err := problem.Status(c.ctx, c.err)
			got := status.Convert(err)
			if got.Code() != c.code || got.Message() != c.message {
				t.Errorf("Status(%v) = %s %q, want %s %q", c.err, got.Code(), got.Message(), c.code, c.message)
			}
			if !errors.Is(err, c.err) || err.Error() != c.err.Error() {
				t.Errorf("Status(%v) logs as %q, want the whole error", c.err, err)
			}
		})
	}
}

func TestStatusOfNothing(t *testing.T) {
	if err := problem.Status(t.Context(), nil); err != nil {
		t.Errorf("Status(nil) = %v, want nil", err)
	}
	if err := problem.NewInvalid(nil); err != nil {
		t.Errorf("NewInvalid(nil) = %v, want nil", err)
	}
}

func TestStatusNamesEachField(t *testing.T) {
	err := problem.NewInvalid([]problem.Violation{{Field: "value", Description: "is 9, want 1 to 5"}, {Field: "user_id", Description: "is empty"}})
	got := status.Convert(problem.Status(t.Context(), err))
	if want := "value is 9, want 1 to 5; user_id is empty"; got.Code() != codes.InvalidArgument || got.Message() != want {
		t.Errorf("Status = %s %q, want INVALID_ARGUMENT %q", got.Code(), got.Message(), want)
	}
	fields := []string{}
	for _, detail := range got.Details() {
		for _, v := range detail.(*errdetails.BadRequest).GetFieldViolations() {
			fields = append(fields, v.GetField()+": "+v.GetDescription())
		}
	}
	if diff := cmp.Diff([]string{"value: is 9, want 1 to 5", "user_id: is empty"}, fields); diff != "" {
		t.Errorf("field violations (-want +got):\n%s", diff)
	}
}

func TestStatusSaysWhenToTryAgain(t *testing.T) {
	got := status.Convert(problem.Status(t.Context(), problem.NewLimited(1500*time.Millisecond, "too many attempts")))
	if got.Code() != codes.ResourceExhausted || len(got.Details()) != 1 {
		t.Fatalf("Status = %v, want RESOURCE_EXHAUSTED with one detail", got)
	}
	if info, ok := got.Details()[0].(*errdetails.RetryInfo); !ok || info.GetRetryDelay().AsDuration() != 1500*time.Millisecond {
		t.Errorf("detail = %v, want RetryInfo of 1.5 s", got.Details()[0])
	}
}
