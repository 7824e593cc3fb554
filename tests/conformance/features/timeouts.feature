Feature: Timeouts
  A task or a workflow that takes longer than its timeout is a timeout error (408). What is under way in it is
  cancelled, and a `try` around it can catch it.

  Scenario: A task that takes too long
    Given a workflow that says:
      """yaml
      do:
        - pause:
            wait: PT1H
            timeout: {after: {minutes: 5}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout
      status: 408
      title: Timeout Error
      instance: /do/0/pause
      """
    And the tasks should run in order pause
    And pause should fault
    And the workflow should take PT5M

  Scenario: A task that is done in time is not touched by its timeout
    Given a workflow that says:
      """yaml
      do:
        - pause:
            wait: PT5M
            timeout: {after: PT6M}
        - longer: {wait: PT1H}
      """
    And the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      n: 1
      """
    And the tasks should run in order pause, longer
    And the workflow should take PT1H5M

  @decision-12
  Scenario: A timeout by reference, caught by the try around it
    Given a workflow that says:
      """yaml
      use:
        timeouts:
          short: {after: PT10S}
      do:
        - guarded:
            try:
              - slow:
                  timeout: short
                  do:
                    - first: {wait: PT8S}
                    - second: {wait: PT8S}
            catch:
              errors:
                with: {type: 'https://open-workflow-specification.org/spec/1.0.0/errors/timeout'}
              do:
                - late: {set: {late: '${ $error.instance }'}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      late: /do/0/guarded/try/0/slow
      """
    And the tasks should run in order guarded, slow, first, second, late
    And second should cancel
    And slow should fault
    And the workflow should take PT10S

  Scenario: A workflow that takes too long
    Given a workflow that says:
      """yaml
      timeout: {after: PT1M}
      do:
        - guarded:
            try:
              - pause: {wait: PT1H}
            catch: {}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout
      status: 408
      instance: /
      """
    And the tasks should run in order guarded, pause
    And pause should cancel
    And guarded should cancel
    And the workflow should take PT1M

  Scenario: An attempt that takes too long is tried again
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - pause: {wait: PT1H}
            catch:
              retry:
                delay: PT1S
                limit: {attempt: {count: 2, duration: PT10S}}
              do:
                - late: {set: '${ [$error.status, $error.instance] }'}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [408, /do/0/guarded]
      """
    And the tasks should run in order guarded, pause, pause, pause, late
    And the workflow should take PT32S

  Scenario: A listener that hears nothing in time
    Given a workflow that says:
      """yaml
      do:
        - answer:
            listen:
              to: {one: {with: {type: never}}}
            timeout: {after: {days: 30}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout
      status: 408
      instance: /do/0/answer
      """
    And the tasks should run in order answer
    And the workflow should take P30D

  Scenario: A call that gets no answer in time
    Given a workflow that says:
      """yaml
      do:
        - get:
            call: http
            with: {method: get, endpoint: 'http://shop.example/slow'}
            timeout: {after: {milliseconds: 200}}
      """
    And the service 'shop.example' answers:
      """yaml
      - {after: 2.0}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout
      status: 408
      instance: /do/0/get
      """
    And the tasks should run in order get

  @decision-12
  Scenario: A timeout on a fork cancels all its branches
    Given a workflow that says:
      """yaml
      do:
        - both:
            timeout: {after: PT1M}
            fork:
              branches:
                - left: {wait: PT1H}
                - right: {listen: {to: {one: {with: {type: never}}}}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout
      status: 408
      instance: /do/0/both
      """
    And the tasks should run in order both, left, right
    And left should cancel
    And right should cancel

  Scenario: The length of a timeout may be an expression on the task's input
    Given a workflow that says:
      """yaml
      do:
        - pause:
            input: {from: .limits}
            wait: PT1H
            timeout: {after: '${ .patience }'}
      """
    And the workflow input is:
      """yaml
      limits: {patience: PT90S}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout
      status: 408
      instance: /do/0/pause
      """
    And the tasks should run in order pause
    And the workflow should take PT1M30S
