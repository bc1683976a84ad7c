package config

import "net/url"

// Telemetry says what the service tells of itself beside logs and metrics.
type Telemetry struct {
	Traces Traces `config:"traces"`
}

// Traces says where spans go.
type Traces struct {
	Endpoint string  `config:"endpoint" help:"OTLP collector over gRPC, such as http://collector:4317 (https with TLS); empty records no traces"`
	Ratio    float64 `config:"ratio" help:"share of the traces begun here that are recorded, 0 to 1; a caller that began one decides for it"`
}

// Check refuses what could never be exported.
func (t Traces) Check(report Report) {
	if t.Ratio < 0 || t.Ratio > 1 {
		report("ratio", t.Ratio, "is not a share from 0 to 1")
	}
	if t.Endpoint == "" {
		return
	}
	u, err := url.Parse(t.Endpoint)
	if err != nil || u.Port() == "" || u.Hostname() == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
		report("endpoint", t.Endpoint, "is not of the form http://host:port or https://host:port")
	}
}
