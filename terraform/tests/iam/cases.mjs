// Who may do what, and who may not: each line is one request.

export const account = '123456789012'
export const cases = []

/** Add one request a resource and action; `base` says who asks and which policies have a say. */
function ask(allowed, base, actions, resources, context) {
  for (const action of [actions].flat())
    for (const resource of [resources].flat())
      cases.push({ allowed, ...base, action, resource, context: { ...base.context, ...context } })
}
const may = (...request) => ask(true, ...request)
const mayNot = (...request) => ask(false, ...request)
const region = 'eu-central-1'
const anything = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }
// A key policy that leaves the decision to the account's IAM policies, as the module's does: KMS asks for both.
const keyLeavesItToIAM = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: 'kms:*', Resource: '*' }] }
const role = (name) => `arn:aws:iam::${account}:role/${name}`
const queue = (name) => `arn:aws:sqs:${region}:${account}:${name}`

// -- docmill's components, with and without a key of their own ---------------------------------------------------------

for (const env of ['dev', 'prod']) {
  const at = `module.${env}.module.service`
  const who = (component) => ({
    name: `${env} ${component}`,
    principal: role(`docmill-${env}-${component}`),
    policies: [`${at}.aws_iam_role_policy.component["${component}"]`],
  })
  const [api, worker, provision] = ['api', 'worker', 'provision'].map(who)
  const bucket = `arn:aws:s3:::docmill-${env}-${account}-${region}`
  const object = `${bucket}/acme/doc_1/original`
  const onBucket = { resourcePolicy: `${at}.aws_s3_bucket_policy.this[0]` }
  const onQueue = (lane) => ({ resourcePolicy: `${at}.aws_sqs_queue_policy.this["${lane}"]` })
  const lane = (name) => queue(`docmill-${env}-${name}`)

  for (const component of [api, worker]) {
    const s3 = { ...component, ...onBucket }
    may(s3, ['s3:PutObject', 's3:GetObject', 's3:GetObjectVersion', 's3:DeleteObject', 's3:DeleteObjectVersion', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'], object)
    may(s3, 's3:ListBucket', bucket)
    mayNot(s3, ['s3:DeleteBucket', 's3:PutBucketPolicy', 's3:PutLifecycleConfiguration', 's3:PutBucketVersioning', 's3:PutReplicationConfiguration'], bucket)
    mayNot(s3, ['s3:PutObjectAcl', 's3:BypassGovernanceRetention'], object)
    mayNot(s3, ['s3:GetObject', 's3:PutObject'], object, { 'aws:SecureTransport': 'false' })
    mayNot(component, ['s3:GetObject', 's3:PutObject'], ['arn:aws:s3:::another-bucket/key', `${bucket}-logs/key`])
    mayNot(component, 's3:ListBucket', 'arn:aws:s3:::another-bucket')
    // What others drop into the bucket is read, whichever version was announced, and stays theirs.
    may(s3, ['s3:GetObject', 's3:GetObjectVersion'], `${bucket}/inbox/acme/name.pdf`)
    mayNot(s3, ['s3:PutObject', 's3:DeleteObject', 's3:DeleteObjectVersion'], `${bucket}/inbox/acme/name.pdf`)
    mayNot(s3, 's3:GetObjectVersion', `${bucket}/inbox/acme/name.pdf`, { 'aws:SecureTransport': 'false' })
    mayNot(component, 's3:GetObjectVersion', 'arn:aws:s3:::another-bucket/inbox/acme/name.pdf')
    for (const name of ['interactive', 'bulk']) {
      const sqs = { ...component, ...onQueue(name) }
      may(sqs, ['sqs:SendMessage', 'sqs:GetQueueAttributes', 'sqs:GetQueueUrl'], lane(name))
      mayNot(sqs, ['sqs:DeleteQueue', 'sqs:PurgeQueue', 'sqs:SetQueueAttributes', 'sqs:AddPermission'], lane(name))
      mayNot(sqs, 'sqs:SendMessage', lane(name), { 'aws:SecureTransport': 'false' })
    }
    mayNot(component, ['sqs:SendMessage', 'sqs:ReceiveMessage'], queue('orders-dev-work'))
    mayNot(component, ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:PurgeQueue'], lane('interactive-dead'))
    mayNot(component, 'sqs:SendMessage', lane('intake'))
    mayNot(component, 'iam:PassRole', role(`docmill-${env}-api`))
    mayNot(component, 'sts:AssumeRole', role('another'))
    mayNot(component, 'secretsmanager:GetSecretValue', `arn:aws:secretsmanager:${region}:${account}:secret:docmill-${env}/first-api-key-abcdef`)
  }
  for (const name of ['interactive', 'bulk', 'intake']) {
    const receiving = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility']
    may({ ...worker, ...onQueue(name) }, [...receiving, 'sqs:GetQueueAttributes', 'sqs:GetQueueUrl'], lane(name))
    mayNot({ ...worker, ...onQueue(name) }, ['sqs:DeleteQueue', 'sqs:PurgeQueue', 'sqs:SetQueueAttributes', 'sqs:AddPermission'], lane(name))
    mayNot({ ...worker, ...onQueue(name) }, 'sqs:ReceiveMessage', lane(name), { 'aws:SecureTransport': 'false' })
    mayNot({ ...api, ...onQueue(name) }, receiving, lane(name))
    // Who receives sets aside what it cannot decode.
    const deadLetters = { resourcePolicy: `${at}.aws_sqs_queue_policy.dead_letter["${name}"]` }
    may({ ...worker, ...deadLetters }, ['sqs:SendMessage', 'sqs:GetQueueUrl', 'sqs:GetQueueAttributes'], lane(`${name}-dead`))
    mayNot({ ...worker, ...deadLetters }, 'sqs:SendMessage', lane(`${name}-dead`), { 'aws:SecureTransport': 'false' })
    mayNot({ ...worker, ...deadLetters }, [...receiving, 'sqs:DeleteQueue', 'sqs:PurgeQueue', 'sqs:SetQueueAttributes'], lane(`${name}-dead`))
    mayNot({ ...api, ...deadLetters }, 'sqs:SendMessage', lane(`${name}-dead`))
    mayNot({ ...provision, ...deadLetters }, ['sqs:SendMessage', ...receiving], lane(`${name}-dead`))
    may({ ...provision, ...deadLetters }, ['sqs:GetQueueAttributes', 'sqs:GetQueueUrl'], lane(`${name}-dead`))
    mayNot({ ...provision, ...onQueue(name) }, [...receiving, 'sqs:SendMessage'], lane(name))
    may({ ...provision, ...onQueue(name) }, ['sqs:GetQueueAttributes', 'sqs:GetQueueUrl'], lane(name))
  }
  may(provision, ['sqs:GetQueueAttributes', 'sqs:GetQueueUrl'], lane('bulk-dead'))
  may({ ...provision, ...onBucket }, ['s3:ListBucket', 's3:GetBucketVersioning', 's3:GetEncryptionConfiguration', 's3:GetLifecycleConfiguration', 's3:GetBucketPublicAccessBlock', 's3:GetBucketNotification', 's3:GetBucketLocation'], bucket)
  mayNot({ ...provision, ...onBucket }, ['s3:GetObject', 's3:PutObject', 's3:DeleteObjectVersion'], object)
  mayNot({ ...provision, ...onBucket }, ['s3:PutBucketVersioning', 's3:DeleteBucket'], bucket)

  // Logging in to the database: API and worker as who reads and writes rows, provision as who owns them, and none as anybody else.
  for (const [component, own, other] of [[api, 'docmill', 'docmill_owner'], [worker, 'docmill', 'docmill_owner'], [provision, 'docmill_owner', 'docmill']]) {
    const as = (instance, user) => `arn:aws:rds-db:${region}:${account}:dbuser:${instance}/${user}`
    may(component, 'rds-db:connect', as('db-MOCKED', own))
    mayNot(component, 'rds-db:connect', [as('db-MOCKED', other), as('db-MOCKED', 'master'), as('db-OTHER', own)])
  }

  // The bucket announces new objects to intake, and no other bucket, account or queue is in it.
  const s3 = { name: `${env} S3 announcing`, principal: 's3.amazonaws.com', ...onQueue('intake') }
  const from = { 'aws:SourceArn': bucket, 'aws:SourceAccount': account }
  may(s3, 'sqs:SendMessage', lane('intake'), from)
  mayNot(s3, 'sqs:SendMessage', lane('intake'), { ...from, 'aws:SourceArn': 'arn:aws:s3:::another-bucket' })
  mayNot(s3, 'sqs:SendMessage', lane('intake'), { ...from, 'aws:SourceAccount': '999999999999' })
  mayNot(s3, 'sqs:ReceiveMessage', lane('intake'), from)
  mayNot({ ...s3, ...onQueue('bulk') }, 'sqs:SendMessage', lane('bulk'), from)

  // Deletion protection: not even an administrator in prod, until it is switched off.
  const admin = { name: `${env} administrator`, principal: role('admin'), policies: [anything] }
  ask(env === 'dev', { ...admin, ...onBucket }, 's3:DeleteBucket', bucket)
  ask(env === 'dev', { ...admin, ...onQueue('bulk') }, ['sqs:DeleteQueue', 'sqs:PurgeQueue'], lane('bulk'))
  ask(env === 'dev', { ...admin, resourcePolicy: `${at}.aws_sqs_queue_policy.dead_letter["bulk"]` }, 'sqs:DeleteQueue', lane('bulk-dead'))
  may({ ...admin, ...onBucket }, 's3:PutBucketPolicy', bucket)
}

// -- prod's key, replica, logs ---------------------------------------------------------------------------------------

{
  const at = 'module.prod.module.service'
  const key = `arn:aws:kms:${region}:${account}:key/11111111-2222-3333-4444-555555555555`
  const replicaKey = `arn:aws:kms:eu-west-1:${account}:key/22222222-2222-3333-4444-555555555555`
  const keyPolicy = { resourcePolicy: `${at}.aws_kms_key.this[0]` }
  const via = (service, r = region) => ({ 'kms:ViaService': `${service}.${r}.amazonaws.com` })
  for (const component of ['api', 'worker']) {
    const user = { name: `prod ${component} and the key`, principal: role(`docmill-prod-${component}`), policies: [`${at}.aws_iam_role_policy.component["${component}"]`], ...keyPolicy }
    may(user, ['kms:Decrypt', 'kms:GenerateDataKey'], key, via('s3'))
    may(user, ['kms:Decrypt', 'kms:GenerateDataKey'], key, via('sqs'))
    mayNot(user, ['kms:Decrypt', 'kms:GenerateDataKey'], key)
    mayNot(user, 'kms:Decrypt', key, via('ec2'))
    mayNot(user, ['kms:ScheduleKeyDeletion', 'kms:PutKeyPolicy', 'kms:CreateGrant'], key, via('s3'))
  }
  mayNot({ name: 'prod provision and the key', principal: role('docmill-prod-provision'), policies: [`${at}.aws_iam_role_policy.component["provision"]`], ...keyPolicy }, 'kms:Decrypt', key, via('s3'))
  const s3 = { name: 'S3 and the key', principal: 's3.amazonaws.com', ...keyPolicy }
  may(s3, ['kms:GenerateDataKey', 'kms:Decrypt'], key, { 'aws:SourceAccount': account })
  mayNot(s3, 'kms:GenerateDataKey', key, { 'aws:SourceAccount': '999999999999' })
  mayNot(s3, 'kms:ScheduleKeyDeletion', key, { 'aws:SourceAccount': account })
  const logs = { name: 'CloudWatch Logs and the key', principal: `logs.${region}.amazonaws.com`, ...keyPolicy }
  const group = (name) => ({ 'kms:EncryptionContext:aws:logs:arn': `arn:aws:logs:${region}:${account}:log-group:${name}` })
  may(logs, 'kms:Encrypt', key, group('/prod/docmill'))
  may(logs, 'kms:Encrypt', key, group('/aws/rds/instance/docmill-prod/postgresql'))
  mayNot(logs, 'kms:Encrypt', key, group('/prod/another'))
  mayNot(logs, 'kms:Encrypt', key, group('/aws/rds/instance/orders-prod/postgresql'))

  const bucket = `arn:aws:s3:::docmill-prod-${account}-${region}`
  const replica = `arn:aws:s3:::docmill-prod-${account}-eu-west-1-replica`
  const copier = { name: 'replication', principal: role('docmill-prod-replication'), policies: [`${at}.aws_iam_role_policy.replication[0]`] }
  may(copier, 's3:GetObjectVersionForReplication', `${bucket}/k`)
  may(copier, ['s3:ReplicateObject', 's3:ReplicateDelete'], `${replica}/k`)
  mayNot(copier, ['s3:ReplicateObject', 's3:DeleteObject', 's3:PutObject'], `${bucket}/k`)
  mayNot(copier, ['s3:GetObject', 's3:DeleteObjectVersion'], `${replica}/k`)
  const copying = { ...copier, resourcePolicy: keyLeavesItToIAM }
  may(copying, 'kms:Encrypt', replicaKey, via('s3', 'eu-west-1'))
  mayNot(copying, 'kms:Encrypt', replicaKey)
  const trust = { name: 'trust of replication', principal: 's3.amazonaws.com', resourcePolicy: `${at}.aws_iam_role.replication[0]#assume_role_policy` }
  may(trust, 'sts:AssumeRole', role('docmill-prod-replication'), { 'aws:SourceAccount': account, 'aws:SourceArn': bucket })
  mayNot(trust, 'sts:AssumeRole', role('docmill-prod-replication'), { 'aws:SourceAccount': account, 'aws:SourceArn': 'arn:aws:s3:::another-bucket' })

  const delivery = { name: 'access log delivery', principal: 'logging.s3.amazonaws.com', resourcePolicy: `${at}.aws_s3_bucket_policy.access_logs[0]` }
  may(delivery, 's3:PutObject', `${bucket}-logs/k`, { 'aws:SourceArn': bucket, 'aws:SourceAccount': account })
  mayNot(delivery, 's3:PutObject', `${bucket}-logs/k`, { 'aws:SourceArn': 'arn:aws:s3:::another-bucket', 'aws:SourceAccount': account })
  mayNot(delivery, 's3:GetObject', `${bucket}-logs/k`, { 'aws:SourceArn': bucket, 'aws:SourceAccount': account })

  for (const [service, address] of [['backup', 'backup[0]'], ['monitoring.rds', 'database_monitoring[0]']]) {
    const taker = { name: `trust of ${service}`, principal: `${service}.amazonaws.com`, resourcePolicy: `${at}.aws_iam_role.${address}#assume_role_policy` }
    may(taker, 'sts:AssumeRole', role('docmill-prod-any'), { 'aws:SourceAccount': account })
    mayNot(taker, 'sts:AssumeRole', role('docmill-prod-any'), { 'aws:SourceAccount': '999999999999' })
    mayNot({ ...taker, principal: 'lambda.amazonaws.com' }, 'sts:AssumeRole', role('docmill-prod-any'), { 'aws:SourceAccount': account })
  }
}

// -- trust: which pods take which role ---------------------------------------------------------------------------------

{
  const issuer = `oidc.eks.${region}.amazonaws.com/id/PROD`
  const irsa = {
    name: 'IRSA',
    principal: `arn:aws:iam::${account}:oidc-provider/${issuer}`,
    resourcePolicy: 'module.prod.module.service.aws_iam_role.component["api"]#assume_role_policy',
  }
  const token = (sub, aud = 'sts.amazonaws.com') => ({ [`${issuer}:sub`]: sub, [`${issuer}:aud`]: aud })
  const take = ['sts:AssumeRoleWithWebIdentity', role('docmill-prod-api')]
  may(irsa, ...take, token('system:serviceaccount:docmill:docmill-api'))
  mayNot(irsa, ...take, token('system:serviceaccount:docmill:docmill-worker'))
  mayNot(irsa, ...take, token('system:serviceaccount:another:docmill-api'))
  mayNot(irsa, ...take, token('system:serviceaccount:docmill:docmill-api', 'another.audience'))
  mayNot({ ...irsa, principal: `arn:aws:iam::${account}:oidc-provider/oidc.example.com/id/OTHER` }, ...take, token('system:serviceaccount:docmill:docmill-api'))

  const pods = { name: 'Pod Identity', principal: 'pods.eks.amazonaws.com', resourcePolicy: 'module.dev.module.service.aws_iam_role.component["worker"]#assume_role_policy' }
  const tags = (account, cluster, namespace, name) => ({
    'aws:SourceAccount': account,
    'aws:RequestTag/eks-cluster-name': cluster,
    'aws:RequestTag/kubernetes-namespace': namespace,
    'aws:RequestTag/kubernetes-service-account': name,
  })
  const assume = ['sts:AssumeRole', role('docmill-dev-worker')]
  may(pods, ['sts:AssumeRole', 'sts:TagSession'], role('docmill-dev-worker'), tags(account, 'platform-dev', 'docmill', 'docmill-worker'))
  mayNot(pods, ...assume, tags(account, 'platform-dev', 'docmill', 'docmill-api'))
  mayNot(pods, ...assume, tags(account, 'platform-dev', 'another', 'docmill-worker'))
  mayNot(pods, ...assume, tags(account, 'another-cluster', 'docmill', 'docmill-worker'))
  mayNot(pods, ...assume, tags('999999999999', 'platform-dev', 'docmill', 'docmill-worker'))
  mayNot({ ...pods, principal: 'ec2.amazonaws.com' }, ...assume, tags(account, 'platform-dev', 'docmill', 'docmill-worker'))
}

// -- a service that only reads, with a secret and a cache --------------------------------------------------------------

{
  const app = { name: 'reader', principal: role('orders-dev-app'), policies: ['module.other.aws_iam_role_policy.component["app"]'] }
  const bucket = `arn:aws:s3:::orders-dev-${account}-${region}`
  const secret = (name) => `arn:aws:secretsmanager:${region}:${account}:secret:orders-dev/${name}-abcdef`
  may(app, ['s3:GetObject', 's3:GetObjectVersion'], `${bucket}/k`)
  mayNot(app, ['s3:PutObject', 's3:DeleteObject', 's3:DeleteObjectVersion'], `${bucket}/k`)
  may(app, 'secretsmanager:GetSecretValue', secret('token'))
  mayNot(app, 'secretsmanager:GetSecretValue', [secret('other'), secret('token-of-another')])
  mayNot(app, ['secretsmanager:PutSecretValue', 'secretsmanager:DeleteSecret'], secret('token'))
  may(app, 'elasticache:Connect', `arn:aws:elasticache:${region}:${account}:replicationgroup:orders-dev`)
  may(app, 'elasticache:Connect', `arn:aws:elasticache:${region}:${account}:user:orders-dev`)
  mayNot(app, 'elasticache:Connect', `arn:aws:elasticache:${region}:${account}:user:default`)
}

// -- GitHub's roles ----------------------------------------------------------------------------------------------------

{
  const issuer = 'token.actions.githubusercontent.com'
  const provider = `arn:aws:iam::${account}:oidc-provider/${issuer}`
  const token = (sub, aud = 'sts.amazonaws.com') => ({ [`${issuer}:sub`]: sub, [`${issuer}:aud`]: aud })
  const take = (address, name, ok, ...tokens) => {
    for (const t of tokens)
      ask(ok, { name: `GitHub takes ${name}`, principal: provider, resourcePolicy: `module.github.aws_iam_role.${address}#assume_role_policy` }, 'sts:AssumeRoleWithWebIdentity', role(name), t)
  }
  const pull = token('repo:example/docmill:pull_request')
  const main = token('repo:example/docmill:ref:refs/heads/main')
  const prod = token('repo:example/docmill:environment:prod')
  const dev = token('repo:example/docmill:environment:dev')
  take('plan[0]', 'docmill-github-plan', true, pull, main)
  take('plan[0]', 'docmill-github-plan', false, token('repo:example/docmill:ref:refs/heads/other'), token('repo:example/docmill-fork:pull_request'), token('repo:evil/docmill:pull_request'), token('repo:example/docmill:pull_request', 'another'))
  take('apply["prod"]', 'docmill-github-apply-prod', true, prod)
  take('apply["prod"]', 'docmill-github-apply-prod', false, dev, pull, main, token('repo:example/docmill:environment:prod2'), token('repo:evil/docmill:environment:prod'))

  const states = 'arn:aws:s3:::example-states'
  const readOnly = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: ['s3:Get*', 's3:List*', 'sqs:Get*', 'sqs:ReceiveMessage', 'secretsmanager:Get*', 'secretsmanager:Describe*', 'logs:Get*', 'rds:Describe*'], Resource: '*' }] }
  const plan = { name: 'plan role', principal: role('docmill-github-plan'), policies: ['module.github.aws_iam_role_policy.plan[0]', readOnly] }
  may(plan, 's3:GetObject', `${states}/dev/eu-central-1/service.tfstate`)
  may(plan, ['s3:PutObject', 's3:DeleteObject'], `${states}/dev/eu-central-1/service.tfstate.tflock`)
  mayNot(plan, ['s3:PutObject', 's3:DeleteObject'], `${states}/dev/eu-central-1/service.tfstate`)
  mayNot(plan, ['s3:GetObject', 's3:GetObjectVersion'], `arn:aws:s3:::docmill-prod-${account}-${region}/acme/doc_1/original`)
  mayNot(plan, 'sqs:ReceiveMessage', queue('docmill-prod-bulk'))
  may(plan, 'sqs:GetQueueAttributes', queue('docmill-prod-bulk'))
  mayNot(plan, 'secretsmanager:GetSecretValue', `arn:aws:secretsmanager:${region}:${account}:secret:docmill-prod/first-api-key-abcdef`)

  const here = { 'aws:RequestedRegion': region }
  const apply = (env) => ({ name: `apply role of ${env}`, principal: role(`docmill-github-apply-${env}`), policies: [`module.github.aws_iam_policy.apply["${env}-named"]`, `module.github.aws_iam_policy.apply["${env}-other"]`], context: here })
  const [inDev, inProd] = ['dev', 'prod'].map(apply)
  const bucket = (env) => `arn:aws:s3:::docmill-${env}-${account}-${region}`
  may(inDev, ['s3:GetObject', 's3:PutObject'], `${states}/dev/eu-central-1/service.tfstate`)
  may(inDev, 's3:DeleteObject', `${states}/dev/eu-central-1/service.tfstate.tflock`)
  mayNot(inDev, 's3:DeleteObject', `${states}/dev/eu-central-1/service.tfstate`)
  mayNot(inDev, ['s3:GetObject', 's3:PutObject'], `${states}/prod/eu-central-1/service.tfstate`)
  may(inDev, 's3:ListBucket', states, { 's3:prefix': 'dev/eu-central-1/' })
  mayNot(inDev, 's3:ListBucket', states, { 's3:prefix': 'prod/' })
  may(inDev, ['s3:CreateBucket', 's3:PutBucketPolicy', 's3:PutLifecycleConfiguration', 's3:PutReplicationConfiguration'], bucket('dev'))
  mayNot(inDev, ['s3:PutBucketPolicy', 's3:DeleteBucket'], [bucket('prod'), states, 'arn:aws:s3:::another'])
  mayNot(inProd, ['s3:GetObject', 's3:PutObject', 's3:DeleteObjectVersion'], `${bucket('prod')}/acme/doc_1/original`)
  may(inDev, ['sqs:CreateQueue', 'sqs:SetQueueAttributes'], queue('docmill-dev-bulk'))
  mayNot(inDev, ['sqs:ReceiveMessage', 'sqs:SendMessage'], queue('docmill-dev-bulk'))
  mayNot(inDev, 'sqs:DeleteQueue', queue('docmill-prod-bulk'))
  may(inDev, 'sqs:CreateQueue', queue('docmill-dev-x'))
  mayNot(inDev, 'sqs:CreateQueue', `arn:aws:sqs:us-east-1:${account}:docmill-dev-x`, { 'aws:RequestedRegion': 'us-east-1' })
  may(inProd, ['rds:CreateDBInstance', 'rds:ModifyDBInstance'], `arn:aws:rds:${region}:${account}:db:docmill-prod`)
  mayNot(inDev, ['rds:ModifyDBInstance', 'rds:DeleteDBInstance'], `arn:aws:rds:${region}:${account}:db:docmill-prod`)
  may(inProd, ['secretsmanager:CreateSecret', 'secretsmanager:DescribeSecret'], `arn:aws:secretsmanager:${region}:${account}:secret:docmill-prod/first-api-key-abcdef`)
  mayNot(inProd, ['secretsmanager:GetSecretValue', 'secretsmanager:PutSecretValue'], `arn:aws:secretsmanager:${region}:${account}:secret:docmill-prod/first-api-key-abcdef`)

  const logGroup = (name) => `arn:aws:logs:${region}:${account}:log-group:${name}`
  may(inDev, 'logs:PutRetentionPolicy', [logGroup('/dev/docmill'), logGroup('/aws/rds/instance/docmill-dev/postgresql')])
  mayNot(inDev, ['logs:PutRetentionPolicy', 'logs:DeleteLogGroup'], [logGroup('/prod/docmill'), logGroup('/aws/rds/instance/docmill-prod/postgresql')])

  const boundary = { 'iam:PermissionsBoundary': `arn:aws:iam::${account}:policy/docmill-boundary` }
  may(inDev, ['iam:CreateRole', 'iam:PutRolePolicy'], role('docmill-dev-api'), boundary)
  mayNot(inDev, ['iam:CreateRole', 'iam:PutRolePolicy', 'iam:AttachRolePolicy'], role('docmill-dev-api'))
  mayNot(inDev, 'iam:CreateRole', role('docmill-dev-api'), { 'iam:PermissionsBoundary': `arn:aws:iam::${account}:policy/wider` })
  mayNot(inDev, ['iam:CreateRole', 'iam:PutRolePolicy'], [role('docmill-prod-api'), role('docmill-github-apply-dev'), role('admin')], boundary)
  mayNot(inDev, ['iam:DeleteRolePermissionsBoundary', 'iam:UpdateAssumeRolePolicy'], role('docmill-github-apply-dev'))
  mayNot(inDev, 'iam:DeleteRolePermissionsBoundary', role('docmill-dev-api'))
  mayNot(inDev, ['iam:CreatePolicyVersion', 'iam:DeletePolicy'], `arn:aws:iam::${account}:policy/docmill-boundary`)
  may(inDev, 'iam:PassRole', role('docmill-dev-api'), { 'iam:PassedToService': 'pods.eks.amazonaws.com' })
  mayNot(inDev, 'iam:PassRole', role('docmill-dev-api'), { 'iam:PassedToService': 'ec2.amazonaws.com' })
  mayNot(inDev, 'iam:PassRole', role('admin'), { 'iam:PassedToService': 'pods.eks.amazonaws.com' })

  const key = `arn:aws:kms:${region}:${account}:key/33333333-2222-3333-4444-555555555555`
  const tagged = (env) => ({ 'aws:ResourceTag/service': 'docmill', 'aws:ResourceTag/environment': env })
  const onKey = { ...inDev, resourcePolicy: keyLeavesItToIAM }
  may(onKey, 'kms:PutKeyPolicy', key, tagged('dev'))
  mayNot(onKey, ['kms:PutKeyPolicy', 'kms:ScheduleKeyDeletion'], key, tagged('prod'))
  mayNot(onKey, ['kms:Decrypt', 'kms:GenerateDataKey'], key, tagged('dev'))
  may(onKey, 'kms:CreateGrant', key, { ...tagged('dev'), 'kms:GrantIsForAWSResource': 'true' })
  mayNot(onKey, 'kms:CreateGrant', key, { ...tagged('dev'), 'kms:GrantIsForAWSResource': 'false' })
  const group = `arn:aws:ec2:${region}:${account}:security-group/sg-1`
  may(inDev, 'ec2:AuthorizeSecurityGroupIngress', group, tagged('dev'))
  mayNot(inDev, ['ec2:AuthorizeSecurityGroupIngress', 'ec2:DeleteSecurityGroup'], group, tagged('prod'))

  // The boundary holds even for a role whose own policy allows everything.
  const bounded = { name: 'a bounded role', principal: role('docmill-dev-api'), boundary: 'module.github.aws_iam_policy.boundary[0]', policies: [anything] }
  may(bounded, 's3:GetObject', 'arn:aws:s3:::any/k')
  mayNot(bounded, 'iam:CreateRole', role('admin'))
  mayNot(bounded, 'sts:AssumeRole', role('admin'))
}

// -- where the states are kept -----------------------------------------------------------------------------------------

{
  const bucket = 'arn:aws:s3:::example-states'
  const admin = { name: 'administrator and the states', principal: role('admin'), policies: [anything], resourcePolicy: 'module.state.aws_s3_bucket_policy.this[0]' }
  may(admin, ['s3:GetObject', 's3:PutObject', 's3:DeleteObject'], `${bucket}/dev/k`)
  mayNot(admin, 's3:DeleteObjectVersion', `${bucket}/dev/k`)
  mayNot(admin, ['s3:DeleteBucket', 's3:PutBucketVersioning'], bucket)
  mayNot(admin, 's3:GetObject', `${bucket}/dev/k`, { 'aws:SecureTransport': 'false' })
}
