// judge.mjs PLAN.json — judge the policies in a plan by an IAM evaluator: every case of cases.mjs must come out as it says.
// The evaluator (@cloud-copilot/iam-simulate) also refuses actions, resources and condition keys that IAM does not know.
// It is found in NODE_PATH's folder, because it is a test tool and no part of the project.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { account, cases } from './cases.mjs'

const require = createRequire(`${process.env.NODE_PATH}/`)
const { runSimulation } = await import(pathToFileURL(require.resolve('@cloud-copilot/iam-simulate')))

const plan = JSON.parse(readFileSync(process.argv[2]))
const planned = new Map(plan.resource_changes.map((change) => [change.address, change.change.after]))

/** The policy that stands at an address of the plan, or in its attribute after a `#`; a policy itself stays as it is. */
function policy(address) {
  if (typeof address !== 'string') return address
  const [resource, attribute = 'policy'] = address.split('#')
  const text = planned.get(resource)?.[attribute]
  if (!text) throw new Error(`the plan has no ${attribute} at ${resource}`)
  return JSON.parse(text)
}

/** A condition key under a name that the evaluator knows: it drops an OIDC provider's keys and encryption contexts, and without them
 *  every answer would be "denied". Renamed in policy and request alike, the comparison stays what it is. */
const known = (key) => (/^(aws|iam|s3|sqs|ec2):|^kms:(?!EncryptionContext)/.test(key) ? key : `aws:RequestTag/${key.replace(/[^a-z]+/gi, '-')}`)

async function judge(policies, boundary, resourcePolicy, request) {
  const keys = Object.keys(request.contextVariables)
  const renamed = (policy) => JSON.parse(keys.reduce((text, key) => text.replaceAll(`"${key}":`, `"${known(key)}":`), JSON.stringify(policy)))
  const result = await runSimulation(
    {
      request: { ...request, contextVariables: Object.fromEntries(keys.map((key) => [known(key), request.contextVariables[key]])) },
      identityPolicies: policies.map((from, i) => ({ name: `policy ${i}`, policy: renamed(policy(from)) })),
      permissionBoundaryPolicies: boundary ? [{ name: 'boundary', policy: renamed(policy(boundary)) }] : undefined,
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: resourcePolicy ? renamed(policy(resourcePolicy)) : undefined,
    },
    {},
  )
  if (result.resultType === 'error') return `an error: ${JSON.stringify(result.errors)}`
  const ignored = result.resultType === 'single' ? result.result.ignoredContextKeys : ['everything']
  return ignored.length > 0 ? `undecided, because the evaluator ignored ${ignored}` : result.overallResult
}

let failed = 0
for (const { name, principal, policies = [], boundary, resourcePolicy, action, resource, context, allowed } of cases) {
  const contextVariables = { 'aws:SecureTransport': 'true', 'aws:PrincipalArn': principal, ...context }
  const request = { principal, action, resource: { resource, accountId: account }, contextVariables }
  const verdict = await judge(policies, boundary, resourcePolicy, request)
  if (!(allowed ? ['Allowed'] : ['ImplicitlyDenied', 'ExplicitlyDenied']).includes(verdict)) {
    failed += 1
    console.error(`wrong: ${name}: ${action} on ${resource} with ${JSON.stringify(context)} is ${verdict}, and should be ${allowed ? 'allowed' : 'denied'}`)
  }
}
const allowed = cases.filter((c) => c.allowed).length
console.log(`${cases.length} requests judged: ${allowed} to be allowed, ${cases.length - allowed} to be denied; ${failed} came out otherwise`)
process.exit(failed === 0 && allowed > 0 && allowed < cases.length ? 0 : 1)
