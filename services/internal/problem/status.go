package problem

import (
	"context"
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// code is the one table from kinds to gRPC codes.
func (k Kind) code() codes.Code {
	switch k {
	case Invalid:
		return codes.InvalidArgument
	case NotFound:
		return codes.NotFound
	case Unavailable:
		return codes.Unavailable
	case Exhausted:
		return codes.ResourceExhausted
	case Aborted:
		return codes.Aborted
	case Unimplemented:
		return codes.Unimplemented
	case Unauthenticated:
		return codes.Unauthenticated
	case Denied:
		return codes.PermissionDenied
	default:
		return codes.Internal
	}
}

// answer is what a handler returns: callers see the status, logs the whole error.
type answer struct {
	status *status.Status
	err    error
}

func (a *answer) Error() string              { return a.err.Error() }
func (a *answer) Unwrap() error              { return a.err }
func (a *answer) GRPCStatus() *status.Status { return a.status }

// Status turns a failure into what a handler returns. An error without a kind becomes INTERNAL without its text;
// a call that ended because its caller's time was up, or its caller gone, says so whatever broke because of it.
func Status(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return &answer{status: public(ctx, err), err: err}
}

func public(ctx context.Context, err error) *status.Status {
	e, known := errors.AsType[*Error](err)
	switch {
	case known && e.Kind == Invalid:
		return withViolations(status.New(e.Kind.code(), e.Message), e.Violations)
	case known && e.RetryAfter > 0:
		return with(status.New(e.Kind.code(), e.Message), &errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)})
	case known && (e.Kind == NotFound || e.Kind == Unauthenticated || e.Kind == Denied): // found out before the caller's time was up
		return status.New(e.Kind.code(), e.Message)
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err())
	case known:
		return status.New(e.Kind.code(), e.Message)
	default:
		return status.New(codes.Internal, "internal error")
	}
}

func withViolations(s *status.Status, violations []Violation) *status.Status {
	detail := &errdetails.BadRequest{}
	for _, v := range violations {
		detail.FieldViolations = append(detail.FieldViolations,
			&errdetails.BadRequest_FieldViolation{Field: v.Field, Description: v.Description})
	}
	return with(s, detail)
}

func with(s *status.Status, detail protoadapt.MessageV1) *status.Status {
	detailed, err := s.WithDetails(detail)
	if err != nil {
		return s // only for a code OK or a message that cannot be packed: neither can be here
	}
	return detailed
}
