Feature: Retry
  A caught error may be tried again: after a delay that may grow, with jitter, up to a limit of retries or of time.
  The first try is not counted. When retries are used up, catch.do takes over where there is one; else the error goes
  on.

  Background:
    Given the service 'shop.example' answers:
      """yaml
      - {on: GET /flaky, status: 503}
      - {on: GET /flaky, status: 503}
      - {on: GET /flaky, status: 503}
      - {on: GET /flaky, body: {ok: true}}
      - {on: GET /down, status: 503}
      """

  @decision-10
  Scenario Outline: Backoff <backoff>
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - get: {call: http, with: {method: get, endpoint: 'https://shop.example/flaky'}}
            catch:
              errors: {with: {status: 503}}
              retry:
                delay: {seconds: 2}
                backoff: <backoff>
                limit: {attempt: {count: 5}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """
    And the tasks should run in order guarded, get, get, get, get
    And guarded should be retried 3 times
    And the workflow should take <time>

    Examples:
      | backoff                                      | time  |
      | {constant: {}}                               | PT6S  |
      | {linear: {}}                                 | PT12S |
      | {linear: {increment: PT1S}}                  | PT9S  |
      | {exponential: {}}                            | PT14S |
      | {exponential: {multiplier: 3}}               | PT26S |
      | {exponential: {maxDelay: PT3S}}              | PT8S  |

  Scenario: Without a backoff each delay is the same
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - get: {call: http, with: {method: get, endpoint: 'https://shop.example/flaky'}}
            catch:
              retry: {delay: PT2S}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """
    And the tasks should run in order guarded, get, get, get, get
    And the workflow should take PT6S

  Scenario: A policy by reference
    Given a workflow that says:
      """yaml
      use:
        retries:
          patient: {delay: PT1M, limit: {attempt: {count: 3}}}
      do:
        - guarded:
            try:
              - get: {call: http, with: {method: get, endpoint: 'https://shop.example/flaky'}}
            catch: {retry: patient}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """
    And the tasks should run in order guarded, get, get, get, get
    And the workflow should take PT3M

  @decision-10
  Scenario: The limit counts retries, not tries; then the error goes on
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - get: {call: http, with: {method: get, endpoint: 'https://shop.example/down'}}
            catch:
              retry: {delay: PT1S, limit: {attempt: {count: 2}}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
      status: 503
      instance: /do/0/guarded/try/0/get
      """
    And the tasks should run in order guarded, get, get, get
    And guarded should be retried 2 times
    And the workflow should take PT2S

  Scenario: When retries are used up catch.do takes over
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - get: {call: http, with: {method: get, endpoint: 'https://shop.example/down'}}
            catch:
              retry: {delay: PT1S, limit: {attempt: {count: 1}}}
              do:
                - give: {set: {up: '${ $error.status }'}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      up: 503
      """
    And the tasks should run in order guarded, get, get, give

  Scenario: A limit in time ends the retries before a delay that would pass it
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - get: {call: http, with: {method: get, endpoint: 'https://shop.example/down'}}
            catch:
              retry: {delay: PT10S, limit: {duration: PT25S}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
      status: 503
      instance: /do/0/guarded/try/0/get
      """
    And the tasks should run in order guarded, get, get, get
    And the workflow should take PT20S

  @decision-10
  Scenario: Jitter is added to each delay, within its bounds
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - get: {call: http, with: {method: get, endpoint: 'https://shop.example/flaky'}}
            catch:
              retry:
                delay: PT10S
                jitter: {from: PT1S, to: PT3S}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """
    And the tasks should run in order guarded, get, get, get, get
    And the workflow should take between PT33S and PT39S

  Scenario: A retry's own when and exceptWhen decide whether there is one
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - get: {call: http, with: {method: get, endpoint: 'https://shop.example/down'}}
            catch:
              retry:
                when: $error.status >= 500
                exceptWhen: $error.status == 503
                delay: PT1S
              do:
                - give: {set: {up: true}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      up: true
      """
    And the tasks should run in order guarded, get, give
    And guarded should be retried 0 times

  Scenario: An error that the filter does not want is not tried again
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - get: {call: http, with: {method: get, endpoint: 'https://shop.example/missing'}}
            catch:
              errors: {with: {status: 503}}
              retry: {delay: PT1S}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
      status: 404
      instance: /do/0/guarded/try/0/get
      """
    And the tasks should run in order guarded, get
    And the workflow should take PT0S

  Scenario: Each attempt begins anew, with the input of the try
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - count: {set: '${ . + 1 }'}
              - get: {call: http, with: {method: get, endpoint: 'https://shop.example/flaky'}, output: {as: $input}}
            catch:
              retry: {delay: PT1S}
      """
    And the workflow input is:
      """yaml
      0
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      1
      """
    And the tasks should run in order guarded, count, get, count, get, count, get, count, get

  Scenario: Delays may be expressions
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - get: {call: http, with: {method: get, endpoint: 'https://shop.example/flaky'}}
            catch:
              retry: {delay: '${ .delay }'}
      """
    And the workflow input is:
      """yaml
      delay: PT20S
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """
    And the tasks should run in order guarded, get, get, get, get
    And the workflow should take PT1M

  Scenario: Each call of a retried task carries a key of its own, so that services can tell them apart
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - get: {call: http, with: {method: get, endpoint: 'https://shop.example/flaky'}}
            catch:
              retry: {delay: PT1S}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """
    And the tasks should run in order guarded, get, get, get, get
    And the service 'shop.example' should have received 4 requests with different 'idempotency-key' headers
