package validate

import (
	"context"
	"errors"
	"fmt"

	"buf.build/go/protovalidate"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"movieexample.com/fleet/services/internal/problem"
)

// Message holds m to the rules in its proto file: nil, or an error of kind Invalid with every mistake. An error without
// a kind means that a rule itself is wrong.
func Message(m proto.Message) error {
	err := protovalidate.Validate(m)
	if err == nil {
		return nil
	}
	broken, ok := errors.AsType[*protovalidate.ValidationError](err)
	if !ok {
		return fmt.Errorf("rules of %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	violations := make([]problem.Violation, len(broken.Violations))
	for i, v := range broken.Violations {
		if v.FieldDescriptor == nil { // protovalidate has none for the items of a list
			v.FieldDescriptor = fieldAt(m.ProtoReflect().Descriptor(), v.Proto.GetField().GetElements())
		}
		violations[i] = problem.Violation{Field: protovalidate.FieldPathString(v.Proto.GetField()), Description: describe(v)}
	}
	return problem.NewInvalid(violations)
}

// Unary refuses requests that break the rules before any handler sees them.
func Unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if err := check(req); err != nil {
		return nil, problem.Status(ctx, err)
	}
	return handler(ctx, req)
}

// Stream does the same with each message of a stream.
func Stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return handler(srv, checked{stream})
}

type checked struct{ grpc.ServerStream }

func (s checked) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return problem.Status(s.Context(), check(m))
}

func check(req any) error {
	m, ok := req.(proto.Message)
	if !ok {
		return nil // another codec: not one of our services
	}
	return Message(m)
}
