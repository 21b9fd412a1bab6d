"""What a worker can do, by the kind that a Job row names."""

from __future__ import annotations

from orchestrator.services.compression import compress
from orchestrator.services.compression_orders import COMPRESS
from orchestrator.services.learning import LOG_JOB
from orchestrator.services.mlflow_following import follow_mlflow
from orchestrator.services.mlflow_sync import LOG_RELEASE, log_learning, log_release_job
from orchestrator.services.mlflow_watch import FOLLOW
from orchestrator.services.training import train_family
from orchestrator.services.working import JobFunction

JOB_FUNCTIONS: dict[str, JobFunction] = {
    "train_family": train_family,
    COMPRESS: compress,
    LOG_RELEASE: log_release_job,
    LOG_JOB: log_learning,
    FOLLOW: follow_mlflow,
}
