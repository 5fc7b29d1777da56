################################################################################
# What each component may do, as policy statements
################################################################################

locals {
  bucket_actions = {
    none = { bucket = [], objects = [] }
    inspect = {
      bucket  = ["s3:ListBucket", "s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:GetBucketPublicAccessBlock", "s3:GetBucketNotification"]
      objects = []
    }
    # Nothing is listed: HEAD of the bucket takes ListBucket, and with it S3 answers 404 for a key that is not there, without it 403.
    read = { bucket = ["s3:ListBucket"], objects = ["s3:GetObject", "s3:GetObjectVersion"] }
    write = {
      bucket = ["s3:ListBucket"]
      objects = [
        "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion",
        "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
      ]
    }
  }
  queue_actions = {
    send    = ["sqs:SendMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
    receive = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
    inspect = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
  }

  # An element is a statement or null; every conditional in a list needs one type, which statements of many shapes have not.
  grants = {
    for name, c in var.components : name => [for statement in [
      length(local.bucket_actions[c.bucket].bucket) == 0 ? null : jsonencode({
        Sid = "Bucket", Effect = "Allow", Action = local.bucket_actions[c.bucket].bucket, Resource = local.bucket_arn
      }),
      length(local.bucket_actions[c.bucket].objects) == 0 ? null : jsonencode({
        Sid = "Objects", Effect = "Allow", Action = local.bucket_actions[c.bucket].objects, Resource = "${local.bucket_arn}/*"
      }),
      # What others drop there is theirs: a denial, because what may be written has no prefix of its own.
      length(c.keeps) == 0 ? null : jsonencode({
        Sid = "Keep", Effect = "Deny", Action = ["s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"], Resource = [for k in c.keeps : "${local.bucket_arn}/${k}*"]
      }),
      length(c.send) == 0 ? null : jsonencode({
        Sid = "Send", Effect = "Allow", Action = local.queue_actions.send, Resource = [for q in c.send : local.queue_arns[q]]
      }),
      length(c.receive) == 0 ? null : jsonencode({
        Sid = "Receive", Effect = "Allow", Action = local.queue_actions.receive, Resource = [for q in c.receive : local.queue_arns[q]]
      }),
      # Who receives sets what it cannot decode aside, and counts what stands there.
      length(c.receive) == 0 ? null : jsonencode({
        Sid = "SetAside", Effect = "Allow", Action = local.queue_actions.send, Resource = [for q in c.receive : "${local.queue_arns[q]}-dead"]
      }),
      length(c.inspect) == 0 ? null : jsonencode({
        Sid      = "Inspect", Effect = "Allow", Action = local.queue_actions.inspect,
        Resource = flatten([for q in c.inspect : [local.queue_arns[q], "${local.queue_arns[q]}-dead"]])
      }),
      # Secrets Manager ends every ARN in six random characters.
      length(c.secrets) == 0 ? null : jsonencode({
        Sid      = "Secrets", Effect = "Allow", Action = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
        Resource = [for s in c.secrets : "arn:${local.partition}:secretsmanager:${local.region}:${local.account_id}:secret:${local.secret_name[s]}-??????"]
      }),
      length(c.database_users) == 0 ? null : jsonencode({
        Sid      = "Database", Effect = "Allow", Action = "rds-db:connect",
        Resource = [for u in c.database_users : "arn:${local.partition}:rds-db:${local.region}:${local.account_id}:dbuser:${local.database_resource_id}/${u}"]
      }),
      !c.cache ? null : jsonencode({
        Sid = "Cache", Effect = "Allow", Action = "elasticache:Connect",
        Resource = [
          "arn:${local.partition}:elasticache:${local.region}:${local.account_id}:replicationgroup:${local.name}",
          "arn:${local.partition}:elasticache:${local.region}:${local.account_id}:user:${local.name}",
        ]
      }),
      # Only through the services that hold the service's data, never by calling KMS itself.
      !local.use_kms || (contains(["none", "inspect"], c.bucket) && length(c.send) + length(c.receive) + length(c.secrets) == 0) ? null : jsonencode({
        Sid       = "Key", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = local.kms_arn,
        Condition = { StringEquals = { "kms:ViaService" = [for s in ["s3", "sqs", "secretsmanager"] : "${s}.${local.region}.${local.dns_suffix}"] } }
      }),
    ] : jsondecode(statement) if statement != null]
  }
}
