{#-
  In every row that meets `row_condition`, the column's value is within the bounds, which are values or SQL expressions:
  the bounds themselves are allowed unless `strictly` is true. A null does not fail. At least one bound is needed.
-#}
{% test expect_column_values_to_be_between(
    model, column_name, min_value=none, max_value=none, row_condition=none, strictly=false
) %}
    {%- set outside = dbt_expectations.outside_bounds(column_name, min_value, max_value, strictly) %}

select *
from {{ model }}
where
    {%- if row_condition %}
    ({{ row_condition }}) and
    {%- endif %}
    ({{ outside }})

{% endtest %}
