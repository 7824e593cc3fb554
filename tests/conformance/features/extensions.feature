Feature: Extensions
  `use.extensions` puts tasks around all tasks of a kind, as layers of an onion: `before` of the first, `before` of the
  second, the task, `after` of the second, `after` of the first. They stand between the task's `input.from` and its
  `output.as`, and change no data unless they say `then: exit`.

  @decision-21
  Scenario: A logging extension tells of every task, and changes nothing
    Given a workflow that says:
      """yaml
      use:
        extensions:
          - logging:
              extend: all
              before:
                - sendLog:
                    call: http
                    with:
                      method: post
                      endpoint: https://fake.log.collector.com
                      body:
                        message: "${ \"Executing task '\\($task.reference)'...\" }"
              after:
                - sendLog:
                    call: http
                    with:
                      method: post
                      endpoint: https://fake.log.collector.com
                      body:
                        message: "${ \"Executed task '\\($task.reference)'...\" }"
      do:
        - sampleTask:
            call: http
            with:
              method: get
              endpoint: https://fake.com/sample
      """
    And the service 'fake.log.collector.com' answers:
      """yaml
      [{on: POST, body: {logged: true}}]
      """
    And the service 'fake.com' answers:
      """yaml
      [{on: GET, body: {real: true}}]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      real: true
      """
    And the service 'fake.log.collector.com' should have received:
      """yaml
      - {body: {message: "Executing task '/do/0/sampleTask'..."}}
      - {body: {message: "Executed task '/do/0/sampleTask'..."}}
      """
    And the tasks should run in order sampleTask, sendLog, sendLog

  Scenario: A mocking extension answers instead of the service, and only where its condition holds
    Given a workflow that says:
      """yaml
      use:
        extensions:
          - mockService:
              extend: call
              when: $task.definition.with.endpoint.uri | startswith("https://mocked.service.com")
              before:
                - mockResponse:
                    set: {content: {foo: {bar: baz}}}
                    then: exit
      do:
        - mocked:
            call: http
            with: {method: get, endpoint: {uri: https://mocked.service.com/sample}}
            output: {as: .content.foo}
        - real:
            call: http
            with: {method: get, endpoint: {uri: https://fake.com/sample}}
            input: {from: '{kept: .}'}
            export: {as: '{real: ., mocked: $input.kept}'}
      output: {as: $context}
      """
    And the service 'fake.com' answers:
      """yaml
      [{on: GET, body: {real: true}}]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      real: {real: true}
      mocked: {bar: baz}
      """
    And the tasks should run in order mocked, mockResponse, real

  Scenario: Several extensions are layers, the first one outermost
    Given a workflow that says:
      """yaml
      use:
        extensions:
          - outer:
              extend: set
              before: [{outerBefore: {do: []}}]
              after: [{outerAfter: {do: []}}]
          - inner:
              extend: all
              before: [{innerBefore: {do: []}}]
              after: [{innerAfter: {do: []}}]
      do:
        - task: {set: {n: 1}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      n: 1
      """
    And the tasks should run in order task, outerBefore, innerBefore, innerAfter, outerAfter

  Scenario: Who leaves in before bypasses the layers within, and those around it see the answer
    Given a workflow that says:
      """yaml
      use:
        extensions:
          - outer:
              extend: set
              after: [{outerAfter: {set: '${ . }', export: {as: '{outer: .}'}}}]
          - mock:
              extend: set
              before: [{mocked: {set: {mocked: true}, then: exit}}, {never: {set: {n: 0}}}]
              after: [{neverAfter: {set: {n: 0}}}]
          - inner:
              extend: set
              before: [{neverBefore: {set: {n: 0}}}]
      do:
        - task: {set: {n: 1}}
      output: {as: '{output: ., context: $context}'}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      output: {mocked: true}
      context: {outer: {mocked: true}}
      """
    And the tasks should run in order task, mocked, outerAfter

  Scenario: Before begins with the task's input, after with its output; what they give is dropped
    Given a workflow that says:
      """yaml
      use:
        extensions:
          - look:
              extend: set
              before: [{saw: {set: '${ [., $task.name, $task.input] }', export: {as: '{before: .}'}}}]
              after: [{sawToo: {set: '${ [., $task.name, $task.output] }', export: {as: '$context + {after: .}'}}}]
      do:
        - task:
            input: {from: .n}
            set: '${ . + 1 }'
            output: {as: '{shaped: .}'}
      output: {as: '. + $context'}
      """
    And the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      shaped: 2
      before: [1, task, {n: 1}]
      after: [2, task, 2]
      """
    And the tasks should run in order task, saw, sawToo

  Scenario: Who leaves in after gives the task's output
    Given a workflow that says:
      """yaml
      use:
        extensions:
          - clean:
              extend: call
              after: [{strip: {set: '${ del(.password) }', then: exit}}]
      do:
        - account: {call: account, with: {id: 1}, output: {as: '{account: .}'}}
      """
    And the step 'account' gives:
      """yaml
      {name: Ada, password: secret}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      account: {name: Ada}
      """
    And the tasks should run in order account, strip

  Scenario: A condition is asked with the task's input, and for each entry of the task
    Given a workflow that says:
      """yaml
      use:
        extensions:
          - double:
              extend: set
              when: . % 2 == 1 and $input == .
              before: [{instead: {set: '${ . * 2 }', then: exit}}]
      do:
        - loop:
            for: {in: '[1, 2, 3]'}
            do:
              - add: {set: '${ . + 1 }'}
      """
    And the workflow input is:
      """yaml
      1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      6
      """
    And the tasks should run in order loop, add, instead, add, add, instead

  Scenario: A condition that fails is an error of the task
    Given a workflow that says:
      """yaml
      use:
        extensions:
          - broken: {extend: set, when: '.a.b.c', before: [{never: {set: {n: 1}}}]}
      do:
        - task: {set: {n: 1}}
      """
    And the workflow input is:
      """yaml
      a: text
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/expression
      instance: /do/0/task
      """
    And the tasks should run in order task

  Scenario: An error in an extension is the task's error, and its place names both
    Given a workflow that says:
      """yaml
      use:
        extensions:
          - guard:
              extend: call
              before:
                - refuse: {raise: {error: {type: 'https://shop.example/errors/closed', status: 409}}}
      do:
        - attempt:
            try:
              - order: {call: order, with: {n: 1}}
            catch:
              errors: {with: {status: 409}}
              do: [{seen: {set: '${ $error.instance }'}}]
      """
    And the step 'order' gives:
      """yaml
      {ordered: true}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      /do/0/attempt/try/0/order/extensions/0/guard/before/0/refuse
      """
    And order should fault
    And the tasks should run in order attempt, order, refuse, seen

  Scenario: After is performed only where the task completed
    Given a workflow that says:
      """yaml
      use:
        extensions:
          - log: {extend: raise, before: [{begun: {do: []}}], after: [{never: {do: []}}]}
      do:
        - task: {raise: {error: {type: 'https://shop.example/errors/closed', status: 409}}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 409
      instance: /do/0/task
      """
    And the tasks should run in order task, begun

  Scenario: Every attempt of a try is extended again, the try itself once
    Given a workflow that says:
      """yaml
      use:
        extensions:
          - count: {extend: raise, before: [{inside: {do: []}}]}
          - once: {extend: try, before: [{outside: {do: []}}]}
      do:
        - attempt:
            try:
              - fail: {raise: {error: {type: 'https://shop.example/errors/closed', status: 409}}}
            catch:
              retry: {delay: PT1S, limit: {attempt: {count: 2}}}
              do: [{recover: {set: {ok: true}}}]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ok: true
      """
    And the tasks should run in order attempt, outside, fail, inside, fail, inside, fail, inside, recover

  Scenario: The task's timeout spans its extensions
    Given a workflow that says:
      """yaml
      use:
        extensions:
          - slow: {extend: set, before: [{nap: {wait: PT10S}}]}
      do:
        - task: {set: {n: 1}, timeout: {after: PT5S}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout
      status: 408
      instance: /do/0/task
      """
    And the workflow should take PT5S
    And nap should cancel
    And the tasks should run in order task, nap

  Scenario: End in an extension ends the workflow
    Given a workflow that says:
      """yaml
      use:
        extensions:
          - stop: {extend: set, before: [{last: {do: [{enough: {do: []}}], then: end}}]}
      do:
        - task: {set: {n: 1}, output: {as: '{never: true}'}}
        - after: {set: {n: 2}}
      """
    And the workflow input is:
      """yaml
      given: true
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      given: true
      """
    And the tasks should run in order task, last, enough

  Scenario: Composite is do and fork, and branches are extended each by itself
    Given a workflow that says:
      """yaml
      use:
        extensions:
          - group: {extend: composite, before: [{grouped: {do: []}}]}
          - pause: {extend: set, before: [{nap: {wait: PT1S}}]}
      do:
        - both:
            fork:
              branches:
                - a: {set: {n: 1}}
                - b: {set: {n: 2}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [{n: 1}, {n: 2}]
      """
    And the tasks should run in order both, grouped, a, nap, b, nap
    And the workflow should take PT1S

  Scenario: Tasks of functions are extended, tasks of extensions are not
    Given a workflow that says:
      """yaml
      use:
        functions:
          double: {set: '${ .n * 2 }'}
        extensions:
          - log:
              extend: all
              before: [{log: {call: double, with: {n: 1}, export: {as: '[$context[]?, ($task.definition | keys[0])]'}}}]
      do:
        - ask: {call: double, with: {n: 3}}
      output: {as: '{output: ., context: $context}'}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      output: 6
      context: [call, set]
      """
    And the tasks should run in order ask, log, log, ask, log, log

  Scenario: Where a switch goes is not changed by what comes after it
    Given a workflow that says:
      """yaml
      use:
        extensions:
          - log: {extend: switch, after: [{nap: {wait: PT1S}}]}
      do:
        - choose: {switch: [{large: {when: . > 1, then: big}}, {other: {then: end}}]}
        - small: {set: {small: true}}
        - big: {set: {big: true}}
      """
    And the workflow input is:
      """yaml
      2
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      big: true
      """
    And the tasks should run in order choose, nap, big
