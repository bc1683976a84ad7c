package handler

import (
	"context"
	"net/netip"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/origin"
	"movieexample.com/fleet/services/internal/problem"
	authv1 "movieexample.com/fleet/services/proto/auth/v1"
)

// Controller is the rules behind the calls.
type Controller interface {
	Get(ctx context.Context, from netip.Prefix, name, password string) (token string, expire time.Time, err error)
	Validate(ctx context.Context, token string) (auth.Token, error)
}

// Handler serves auth.v1.
type Handler struct {
	authv1.UnimplementedAuthServiceServer

	controller Controller
	proxies    []netip.Prefix
}

// New serves what the controller decides. Trusted proxies are believed about whom they speak for.
func New(controller Controller, trustedProxies []netip.Prefix) *Handler {
	return &Handler{controller: controller, proxies: trustedProxies}
}

// GetToken implements auth.v1.
func (h *Handler) GetToken(ctx context.Context, request *authv1.GetTokenRequest) (*authv1.GetTokenResponse, error) {
	from := origin.Network(origin.Of(ctx, h.proxies))
	token, expire, err := h.controller.Get(ctx, from, request.GetUsername(), request.GetPassword())
	if err != nil {
		return nil, problem.Status(ctx, err)
	}
	return &authv1.GetTokenResponse{Token: token, ExpireTime: timestamppb.New(expire)}, nil
}

// ValidateToken implements auth.v1.
func (h *Handler) ValidateToken(ctx context.Context, request *authv1.ValidateTokenRequest) (*authv1.ValidateTokenResponse, error) {
	token, err := h.controller.Validate(ctx, request.GetToken())
	if err != nil {
		return nil, problem.Status(ctx, err)
	}
	return &authv1.ValidateTokenResponse{Username: token.Subject, Roles: token.Roles, ExpireTime: timestamppb.New(token.ExpireTime)}, nil
}
