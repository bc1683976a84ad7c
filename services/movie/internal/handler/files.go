package handler

import (
	"context"
	"errors"
	"io"
	"iter"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/movie/internal/model"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
)

// Files is the rules behind the calls about files.
type Files interface {
	Receive(ctx context.Context, h model.Header, chunks iter.Seq2[[]byte, error]) (model.Receipt, error)
	Upload(id string) (model.Upload, error)
	File(id string) (model.File, error)
}

type uploadStream = grpc.ClientStreamingServer[moviev1.UploadFileRequest, moviev1.UploadFileResponse]

// UploadFile implements movie.v1. An error of the stream itself goes back as it came.
func (h *Handler) UploadFile(stream uploadStream) error {
	ctx := stream.Context()
	first, err := stream.Recv()
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	header := first.GetHeader()
	if header == nil {
		return problem.Status(ctx, misplaced("is missing: it is the first message"))
	}
	var broken error
	receipt, err := h.files.Receive(ctx, model.Header{
		UploadID: header.GetUploadId(), Name: header.GetName(), Size: header.GetSize(), Offset: header.GetOffset(), SHA256: header.GetSha256(),
	}, chunks(stream, &broken))
	if broken != nil {
		return broken
	}
	if err != nil {
		return problem.Status(ctx, err)
	}
	return stream.SendAndClose(&moviev1.UploadFileResponse{FileId: receipt.FileID, Sha256: receipt.SHA256, Size: receipt.Size})
}

// chunks are the messages after the header. What ends them before their time is in broken too, as the caller may see it.
func chunks(stream uploadStream, broken *error) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for {
			message, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil && message.GetHeader() != nil {
				err = problem.Status(stream.Context(), misplaced("came twice: only the first message is one"))
			}
			if err != nil {
				*broken = err
				yield(nil, err)
				return
			}
			if !yield(message.GetChunk(), nil) {
				return
			}
		}
	}
}

func misplaced(text string) error {
	return problem.NewInvalid([]problem.Violation{{Field: "header", Description: text}})
}

// GetUpload implements movie.v1.
func (h *Handler) GetUpload(ctx context.Context, request *moviev1.GetUploadRequest) (*moviev1.GetUploadResponse, error) {
	u, err := h.files.Upload(request.GetUploadId())
	if err != nil {
		return nil, problem.Status(ctx, err)
	}
	state := moviev1.UploadState_UPLOAD_STATE_RECEIVING
	if u.FileID != "" {
		state = moviev1.UploadState_UPLOAD_STATE_STORED
	}
	return &moviev1.GetUploadResponse{State: state, Offset: u.Offset, Size: u.Size, FileId: u.FileID}, nil
}

// GetFile implements movie.v1.
func (h *Handler) GetFile(ctx context.Context, request *moviev1.GetFileRequest) (*moviev1.GetFileResponse, error) {
	f, err := h.files.File(request.GetFileId())
	if err != nil {
		return nil, problem.Status(ctx, err)
	}
	return &moviev1.GetFileResponse{File: &moviev1.File{
		Id: f.ID, Sha256: f.SHA256, Size: f.Size, Name: f.Name, State: fileState(f.State), ContentType: f.Type,
		CreateTime: timestamppb.New(f.CreateTime),
	}}, nil
}

func fileState(s model.FileState) moviev1.FileState {
	switch s {
	case model.Ready:
		return moviev1.FileState_FILE_STATE_READY
	case model.Damaged:
		return moviev1.FileState_FILE_STATE_DAMAGED
	default:
		return moviev1.FileState_FILE_STATE_STORED
	}
}
